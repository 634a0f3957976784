// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/model.h"

#include "runtime/base/status.h"
#include "runtime/text/parts/bpe.h"
#include "runtime/text/parts/unigram.h"
#include "runtime/text/parts/word_level.h"
#include "runtime/text/parts/wordpiece.h"

namespace ashlar {
namespace {

// Files older than the field `type` are told apart by what they have.
std::string TypeOfModel(const JsonField& field) {
  if (field["type"].present() || !field.present()) return field["type"].StringOr("").value_or("");
  if (field["merges"].present()) return "BPE";
  if (field["max_input_chars_per_word"].present()) return "WordPiece";
  if (field["vocab"].value() && field["vocab"].value()->is_array()) return "Unigram";
  return field["vocab"].present() ? "WordLevel" : "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Model>> ReadModel(const JsonField& field) {
  const std::string type = TypeOfModel(field);
  if (type == "WordPiece") return WordPiece::Read(field);
  if (type == "WordLevel") return WordLevel::Read(field);
  if (type == "BPE") return Bpe::Read(field);
  if (type == "Unigram") return Unigram::Read(field);
  return field["type"].Expected("\"WordPiece\", \"WordLevel\", \"BPE\" or \"Unigram\"");
}

absl::StatusOr<Vocabulary> ReadVocabulary(const JsonField& field) {
  if (!field.value() || !field.value()->is_object()) return field.Expected("an object");
  Vocabulary vocabulary;
  for (const auto& member : field.value()->items()) {
    const nlohmann::json& id = member.value();
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      return field[Printable(member.key())].Expected("an integer in 0..2147483647");
    vocabulary.Add(member.key(), id.get<int64_t>());
  }
  if (vocabulary.empty()) return DataLoss(field.path(), ": the vocabulary is empty");
  return vocabulary;
}

std::string ByteToken(uint8_t byte) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
}

int ByteOfToken(std::string_view token) {
  if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>') return -1;
  int byte = 0;
  for (char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    byte = byte * 16 + digit;
  }
  return byte;
}

}  // namespace ashlar
