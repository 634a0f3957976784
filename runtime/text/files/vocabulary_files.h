// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Vocabularies without a tokenizer.json: what the rest of the tokenizer is follows from the kind of
// file, and from the tokenizer's class in tokenizer_config.json.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/text/files/tokenizer_config.h"
#include "runtime/text/tokenizer.h"

namespace ashlar {

// BERT's vocab.txt: one token per line, its number the id. Special tokens are found in a text
// whether or not a file lists them.
absl::StatusOr<TokenizerParts> ReadBertVocabulary(const std::string& path,
                                                  const TokenizerConfig& config);

// vocab.json and merges.txt: GPT-2, RoBERTa (and BART, ...) or Qwen2, by the class; GPT-2 where
// there is none. Unimplemented for other classes.
absl::StatusOr<TokenizerParts> ReadByteLevelVocabulary(const std::string& vocabulary_path,
                                                       const std::string& merges_path,
                                                       const TokenizerConfig& config);

}  // namespace ashlar
