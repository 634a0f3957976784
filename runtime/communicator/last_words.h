// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a process that is ended from outside says: the call that it was waiting in.
#pragma once

#include "runtime/communicator/communicator.h"

namespace ashlar {

// While it lives, a call is waited for. Where several are, in threads of one process, it is the
// first one's that is said.
class LastWords {
 public:
  LastWords(int rank, const Collective& call);
  ~LastWords();
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;

 private:
  const bool speaks_;
};

}  // namespace ashlar
