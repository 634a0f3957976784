// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files of a Hugging Face directory say about a BERT tokenizer, and nothing that they do
// not: what is not understood is an error that names the file and the field. Left aside, because
// they say nothing about the ids of a text: `truncation` and `padding` (the caller's to choose, as
// in transformers) and `decoder`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/bert_words.h"

namespace ashlar {

struct BertTokenizerFiles {
  struct AddedToken {
    std::string content;
    int64_t id = 0;
    bool normalized = false;  // found in the normalized text, and normalized itself
  };

  std::string path;  // of the vocabulary, for errors
  std::vector<std::pair<std::string, int64_t>> vocabulary;
  std::vector<AddedToken> added_tokens;
  BertNormalization normalization;
  std::string prefix = "##";
  int64_t max_characters = 100;
  std::string unknown = "[UNK]", classify = "[CLS]", separate = "[SEP]", pad = "[PAD]",
              mask = "[MASK]";
};

// Reads `tokenizer.json`, or else `vocab.txt`, of a directory, and what its
// `tokenizer_config.json` changes; or a file of either kind alone.
absl::StatusOr<BertTokenizerFiles> ReadBertTokenizerFiles(const std::string& path);

}  // namespace ashlar
