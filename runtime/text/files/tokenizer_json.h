// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tokenizer.json, the format of the `tokenizers` library.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/text/files/tokenizer_config.h"
#include "runtime/text/tokenizer.h"

namespace ashlar {

// With what `config` adds and overrules.
absl::StatusOr<TokenizerParts> ReadTokenizerJson(const std::string& path,
                                                 const TokenizerConfig& config);

}  // namespace ashlar
