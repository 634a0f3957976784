// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// WordLevel: a word is in the vocabulary, or it is unknown.
#pragma once

#include <string>

#include "runtime/text/parts/model.h"

namespace ashlar {

class WordLevel : public Model {
 public:
  WordLevel(Vocabulary vocabulary, const std::string& unknown)
      : Model(std::move(vocabulary)), unknown_(this->vocabulary().Find(unknown)) {}
  static absl::StatusOr<std::unique_ptr<const Model>> Read(const JsonField& field);

  absl::Status Tokenize(std::string_view word, std::vector<ModelToken>* tokens) const override;

 private:
  std::optional<int64_t> unknown_;
};

}  // namespace ashlar
