// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/wordpiece.h"

#include <algorithm>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

// Whether a character of UTF-8 begins at this byte.
bool IsBoundary(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

}  // namespace

WordPiece::WordPiece(Vocabulary vocabulary, Options options)
    : Model(std::move(vocabulary)), options_(std::move(options)) {
  unknown_ = this->vocabulary().Find(options_.unknown);
}

absl::StatusOr<std::unique_ptr<const Model>> WordPiece::Read(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject(
      {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"}));
  Options options;
  ASHLAR_ASSIGN_OR_RETURN(options.unknown, field["unk_token"].String());
  ASHLAR_ASSIGN_OR_RETURN(options.prefix, field["continuing_subword_prefix"].String());
  ASHLAR_ASSIGN_OR_RETURN(options.max_characters, field["max_input_chars_per_word"].Index());
  ASHLAR_ASSIGN_OR_RETURN(Vocabulary vocabulary, ReadVocabulary(field["vocab"]));
  return std::make_unique<WordPiece>(std::move(vocabulary), std::move(options));
}

absl::Status WordPiece::Tokenize(std::string_view word, std::vector<ModelToken>* tokens) const {
  const size_t before = tokens->size();
  bool fits = std::count_if(word.begin(), word.end(), IsBoundary) <= options_.max_characters;
  std::string piece;
  for (size_t start = 0; fits && start < word.size();) {
    piece = start > 0 ? options_.prefix : std::string();
    const size_t prefix = piece.size();
    piece += word.substr(start, vocabulary().longest());
    std::optional<int64_t> id;
    size_t end = 0;
    while (piece.size() > prefix) {
      end = start + piece.size() - prefix;
      if ((end == word.size() || IsBoundary(word[end])) && (id = vocabulary().Find(piece))) break;
      piece.pop_back();
    }
    fits = id.has_value();
    if (!fits) break;
    tokens->push_back({*id, static_cast<uint32_t>(start), static_cast<uint32_t>(end)});
    start = end;
  }
  if (fits) return absl::OkStatus();
  tokens->resize(before);
  if (!unknown_)
    return FailedPrecondition("the vocabulary has no '", Printable(options_.unknown),
                              "' for the word '", Printable(word), "'");
  tokens->push_back({*unknown_, 0, static_cast<uint32_t>(word.size())});
  return absl::OkStatus();
}

}  // namespace ashlar
