// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is behind the handles of ashlar.h that have to do with text.
#pragma once

#include <memory>

#include "runtime/api/c/handles.h"
#include "runtime/text/tokenizer.h"

struct ashlar_tokenizer {
  std::shared_ptr<const ashlar::Tokenizer> tokenizer;
};
