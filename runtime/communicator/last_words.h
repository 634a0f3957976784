// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a process that is ended from outside says: the call that it was waiting in.
#pragma once

#include "runtime/communicator/communicator.h"

namespace ashlar {

// While it lives, a call is waited for. One at a time.
class LastWords {
 public:
  LastWords(int rank, const Collective& call);
  ~LastWords();
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;
};

}  // namespace ashlar
