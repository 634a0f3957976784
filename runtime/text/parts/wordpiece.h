// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// WordPiece: a word is cut, from its beginning, into the longest pieces that the vocabulary holds;
// pieces after the first carry a prefix ("playing" -> play ##ing). A word that cannot be cut to its
// end, or that is too long, is one unknown token. (Wu et al., "Google's Neural Machine Translation
// System", 2016, section 4.1, as BERT uses it.)
#pragma once

#include <string>

#include "runtime/text/parts/model.h"

namespace ashlar {

class WordPiece : public Model {
 public:
  struct Options {
    std::string unknown = "[UNK]";
    std::string prefix = "##";
    int64_t max_characters = 100;
  };

  WordPiece(Vocabulary vocabulary, Options options);
  static absl::StatusOr<std::unique_ptr<const Model>> Read(const JsonField& field);

  absl::Status Tokenize(std::string_view word, std::vector<ModelToken>* tokens) const override;

 private:
  Options options_;
  std::optional<int64_t> unknown_;
};

}  // namespace ashlar
