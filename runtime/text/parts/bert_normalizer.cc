// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/bert_normalizer.h"

#include "runtime/base/status.h"
#include "runtime/text/parts/unicode_forms.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

AlignedText Clean(const AlignedText& text, const BertNormalization& how) {
  AlignedText result;
  result.chars.reserve(text.size());
  result.spans.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char32_t c = text.chars[i];
    if (how.clean_text) {
      if (c == 0xFFFD || IsControl(c)) continue;
      if (IsWhitespace(c)) c = ' ';
    }
    const bool alone = how.split_cjk && IsCjk(c);
    if (alone) result.Append(' ', text.spans[i]);
    result.Append(c, text.spans[i]);
    if (alone) result.Append(' ', text.spans[i]);
  }
  return result;
}

}  // namespace

absl::StatusOr<BertNormalization> BertNormalizer::Read(const JsonField& field) {
  BertNormalization how;
  ASHLAR_RETURN_IF_ERROR(field.CheckObject(
      {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}));
  ASHLAR_ASSIGN_OR_RETURN(how.clean_text, field["clean_text"].Bool());
  ASHLAR_ASSIGN_OR_RETURN(how.split_cjk, field["handle_chinese_chars"].Bool());
  ASHLAR_ASSIGN_OR_RETURN(how.lowercase, field["lowercase"].Bool());
  if (!field["strip_accents"].present()) return how;
  ASHLAR_ASSIGN_OR_RETURN(how.strip_accents, field["strip_accents"].Bool());
  return how;
}

absl::Status BertNormalizer::Apply(AlignedText* text) const {
  *text = Clean(*text, how_);
  if (how_.strip_accents.value_or(how_.lowercase)) {
    ASHLAR_RETURN_IF_ERROR(NormalizeUnicode(UnicodeForm::kNfd, text));
    KeepIf([](char32_t c) { return !IsNonspacingMark(c); }, text);
  }
  if (how_.lowercase) Lowercase(text);
  return CheckNormalizedSize(text->size());
}

}  // namespace ashlar
