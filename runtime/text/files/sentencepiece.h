// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A tokenizer from SentencePiece's model file, which gives the ids that the `sentencepiece`
// library gives: its own normalization, and unigram or BPE over the whole text.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/text/files/tokenizer_config.h"
#include "runtime/text/tokenizer.h"

namespace ashlar {

// Special tokens are put around a text as the class in `config` wants: none, Llama's <s>, T5's
// </s>, ALBERT's [CLS] and [SEP]. Unimplemented for classes whose ids are not the file's, for words
// and characters as algorithms, and for pieces that are marked unused.
absl::StatusOr<TokenizerParts> ReadSentencePieceModel(const std::string& path,
                                                      const TokenizerConfig& config);

}  // namespace ashlar
