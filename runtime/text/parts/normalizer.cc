// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/normalizer.h"

#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/text/parts/bert_normalizer.h"
#include "runtime/text/parts/byte_characters.h"
#include "runtime/text/parts/charsmap.h"
#include "runtime/text/parts/replacement.h"
#include "runtime/text/parts/unicode_forms.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

// A normalizer that is no more than a function.
template <typename Function>
class Simple : public Normalizer {
 public:
  explicit Simple(Function function) : function_(std::move(function)) {}
  absl::Status Apply(AlignedText* text) const override { return function_(text); }

 private:
  Function function_;
};

using Result = absl::StatusOr<std::unique_ptr<const Normalizer>>;

template <typename Function>
Result MakeSimple(Function function) {
  return std::make_unique<Simple<Function>>(std::move(function));
}

void Strip(bool left, bool right, AlignedText* text) {
  size_t begin = 0, end = text->size();
  while (left && begin < end && IsWhitespace(text->chars[begin])) ++begin;
  while (right && end > begin && IsWhitespace(text->chars[end - 1])) --end;
  if (begin > 0 || end < text->size()) *text = text->Slice(begin, end);
}

// The rules of neural machine translation's usual cleaning, as SentencePiece's "nmt" forms have
// them: some controls are dropped, anything like a blank is a blank.
void CleanForTranslation(AlignedText* text) {
  KeepIf(
      [](char32_t c) {
        return !((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F ||
                 c == 0x8F || c == 0x9F);
      },
      text);
  for (char32_t& c : text->chars) {
    const bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                       (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xFEFF || c == 0xFFFD;
    if (blank) c = ' ';
  }
}

Result ReadStrip(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "strip_left", "strip_right"}));
  ASHLAR_ASSIGN_OR_RETURN(bool left, field["strip_left"].Bool());
  ASHLAR_ASSIGN_OR_RETURN(bool right, field["strip_right"].Bool());
  return MakeSimple([left, right](AlignedText* text) {
    Strip(left, right, text);
    return absl::OkStatus();
  });
}

Result ReadReplace(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "pattern", "content"}));
  ASHLAR_ASSIGN_OR_RETURN(Replacement replacement, Replacement::Read(field));
  return MakeSimple([replacement](AlignedText* text) { return replacement.Apply(text); });
}

Result ReadPrepend(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "prepend"}));
  ASHLAR_ASSIGN_OR_RETURN(std::string bytes, field["prepend"].String());
  return MakeSimple([prefix = DecodeUtf8(bytes)](AlignedText* text) {
    text->Prepend(prefix);
    return CheckNormalizedSize(text->size());
  });
}

Result ReadPrecompiled(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "precompiled_charsmap"}));
  ASHLAR_ASSIGN_OR_RETURN(std::string encoded, field["precompiled_charsmap"].StringOr(""));
  auto map = Charsmap::FromBase64(encoded);
  if (!map.ok())
    return DataLoss(field.path(), ": ", field["precompiled_charsmap"].name(), ": ",
                    Message(map.status()));
  auto shared = std::make_shared<const Charsmap>(*std::move(map));
  return MakeSimple([shared](AlignedText* text) { return ReplaceGraphemes(*shared, text); });
}

Result ReadSequence(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "normalizers"}));
  JsonField list = field["normalizers"];
  ASHLAR_RETURN_IF_ERROR(list.CheckArray());
  std::vector<std::unique_ptr<const Normalizer>> parts;
  for (size_t i = 0; i < list.size(); ++i) {
    ASHLAR_ASSIGN_OR_RETURN(auto part, ReadNormalizer(list.At(i)));
    if (!part) return list.At(i).Expected("a normalizer");
    parts.push_back(std::move(part));
  }
  return std::make_unique<NormalizerSequence>(std::move(parts));
}

Result MakeForm(UnicodeForm form) {
  return MakeSimple([form](AlignedText* text) { return NormalizeUnicode(form, text); });
}

Result MakeVoid(void (*function)(AlignedText*)) {
  return MakeSimple([function](AlignedText* text) {
    function(text);
    return CheckNormalizedSize(text->size());
  });
}

void StripAccents(AlignedText* text) {
  KeepIf([](char32_t c) { return !IsCombiningMark(c); }, text);
}

}  // namespace

absl::Status NormalizerSequence::Apply(AlignedText* text) const {
  for (const auto& part : parts_) ASHLAR_RETURN_IF_ERROR(part->Apply(text));
  return absl::OkStatus();
}

void Lowercase(AlignedText* text) {
  AlignedText lower;
  lower.chars.reserve(text->size());
  lower.spans.reserve(text->size());
  for (size_t i = 0; i < text->size(); ++i) {
    AppendLowercase(text->chars[i], &lower.chars);
    lower.spans.resize(lower.chars.size(), text->spans[i]);
  }
  *text = std::move(lower);
}

absl::Status SpellBytes(AlignedText* text) {
  AlignedText spelled;
  spelled.chars.reserve(text->size());
  spelled.spans.reserve(text->size());
  std::string bytes;
  for (size_t i = 0; i < text->size(); ++i) {
    bytes.clear();
    AppendUtf8(text->chars[i], &bytes);
    for (char byte : bytes)
      spelled.Append(CharacterOfByte(static_cast<uint8_t>(byte)), text->spans[i]);
  }
  *text = std::move(spelled);
  return CheckNormalizedSize(text->size());
}

Result ReadNormalizer(const JsonField& field) {
  if (!field.present()) return std::unique_ptr<const Normalizer>();
  ASHLAR_ASSIGN_OR_RETURN(std::string type, field["type"].String());
  if (type == "Sequence") return ReadSequence(field);
  if (type == "Strip") return ReadStrip(field);
  if (type == "Replace") return ReadReplace(field);
  if (type == "Prepend") return ReadPrepend(field);
  if (type == "Precompiled") return ReadPrecompiled(field);
  if (type == "BertNormalizer") {
    ASHLAR_ASSIGN_OR_RETURN(BertNormalization how, BertNormalizer::Read(field));
    return std::make_unique<BertNormalizer>(how);
  }
  struct {
    const char* type;
    Result (*make)();
  } const simple[] = {
      {"NFC", [] { return MakeForm(UnicodeForm::kNfc); }},
      {"NFD", [] { return MakeForm(UnicodeForm::kNfd); }},
      {"NFKC", [] { return MakeForm(UnicodeForm::kNfkc); }},
      {"NFKD", [] { return MakeForm(UnicodeForm::kNfkd); }},
      {"Lowercase", [] { return MakeVoid(Lowercase); }},
      {"Nmt", [] { return MakeVoid(CleanForTranslation); }},
      {"StripAccents", [] { return MakeVoid(StripAccents); }},
      {"ByteLevel", [] { return MakeSimple(SpellBytes); }},
  };
  for (const auto& [name, make] : simple) {
    if (type != name) continue;
    ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type"}));
    return make();
  }
  return field["type"].Unsupported(
      StrCat("the normalizer '", Printable(type),
             "' is not supported; supported are BertNormalizer, ByteLevel, Lowercase, NFC, NFD, "
             "NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip and StripAccents"));
}

}  // namespace ashlar
