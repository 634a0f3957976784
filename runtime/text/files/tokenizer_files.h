// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds what a tokenizer is made of in the files of a Hugging Face directory. Nothing in them is
// trusted; what is not understood is an error that names the file and the place in it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/text/tokenizer.h"

namespace ashlar {

// Of a directory the first that it has of
//
//   tokenizer.json                         the `tokenizers` library's format
//   vocab.json, merges.txt                 byte-level BPE (GPT-2, RoBERTa, Qwen2)
//   tokenizer.model, spiece.model,
//   sentencepiece.bpe.model, spm.model     SentencePiece, as its own library reads it
//   vocab.txt                              BERT
//
// with what tokenizer_config.json, special_tokens_map.json and added_tokens.json add to it; or a
// file of any of these kinds alone ("gpt2-vocab.json" has its merges in "gpt2-merges.txt").
absl::StatusOr<TokenizerParts> ReadTokenizerFiles(const std::string& path);

}  // namespace ashlar
