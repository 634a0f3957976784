// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/word_level.h"

#include "runtime/base/status.h"

namespace ashlar {

absl::StatusOr<std::unique_ptr<const Model>> WordLevel::Read(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "unk_token", "vocab"}));
  ASHLAR_ASSIGN_OR_RETURN(std::string unknown, field["unk_token"].String());
  ASHLAR_ASSIGN_OR_RETURN(Vocabulary vocabulary, ReadVocabulary(field["vocab"]));
  return std::make_unique<WordLevel>(std::move(vocabulary), unknown);
}

absl::Status WordLevel::Tokenize(std::string_view word, std::vector<ModelToken>* tokens) const {
  std::optional<int64_t> id = vocabulary().Find(word);
  if (!id) id = unknown_;
  if (!id)
    return FailedPrecondition("the vocabulary has neither the word '", Printable(word),
                              "' nor a token for unknown ones");
  tokens->push_back({*id, 0, static_cast<uint32_t>(word.size())});
  return absl::OkStatus();
}

}  // namespace ashlar
