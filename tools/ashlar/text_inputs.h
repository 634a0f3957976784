// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sentences as the inputs of an entry: input_ids, and attention_mask and token_type_ids where the
// entry has them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/api/tensor.h"
#include "runtime/program/program.h"
#include "runtime/text/tokenizer.h"

namespace ashlar {

struct TextRequest {
  std::vector<std::string> texts;
  std::vector<std::string> pairs;  // none, or one for each text
  std::string vocabulary;          // a directory or file; empty: the artifact's weight directory
};

// The tokenizer of `vocabulary`, a directory or file, or where that is empty of the directory that
// the artifact's weights come from. Errors say which of the two it was.
absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadTokenizer(const Program& program,
                                                               const std::string& vocabulary);

// Owns what its tensors view.
class TextInputs {
 public:
  // Texts of more tokens than the entry takes are cut, with a warning on stderr. OutOfRange for a
  // batch beyond its bounds; NotFound when there is no vocabulary, or the entry takes no input_ids.
  static absl::StatusOr<TextInputs> Encode(const Program& program, const std::string& entry,
                                           const TextRequest& request);

  const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  EncodedBatch batch_;
  std::vector<Tensor> tensors_;
};

}  // namespace ashlar
