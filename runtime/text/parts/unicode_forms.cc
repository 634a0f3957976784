// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The algorithm of Unicode Standard Annex 15: decompose each character, put combining marks in
// canonical order, compose. ICU does this for whole strings, but tells no alignment, so that only
// its tables are used.
#include "runtime/text/parts/unicode_forms.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <tuple>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

struct Changed {
  char32_t c;
  int change;  // see TextRewriter
  uint8_t combining_class;
  uint32_t place;  // before marks are put in order
};

bool IsKnown(char32_t c) {
  if (c < 0x300) return true;
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] > 0 && age[0] <= 11;
}

uint8_t CombiningClass(char32_t c) {
  return c < 0x300 || !IsKnown(c) ? 0 : u_getCombiningClass(static_cast<UChar32>(c));
}

std::vector<Changed> Decomposed(const std::u32string& text, const icu::Normalizer2& tables) {
  std::vector<Changed> result;
  result.reserve(text.size());
  icu::UnicodeString expansion;
  for (char32_t c : text) {
    const bool expands =
        c >= 0x80 && IsKnown(c) && tables.getDecomposition(static_cast<UChar32>(c), expansion);
    if (!expands) {
      result.push_back({c, 0, CombiningClass(c), static_cast<uint32_t>(result.size())});
      continue;
    }
    for (int32_t i = 0; i < expansion.length(); i = expansion.moveIndex32(i, 1)) {
      const auto part = static_cast<char32_t>(expansion.char32At(i));
      result.push_back({part, i > 0, CombiningClass(part), static_cast<uint32_t>(result.size())});
    }
  }
  return result;
}

void OrderMarks(std::vector<Changed>* text) {
  for (auto it = text->begin(); it != text->end();) {
    if (it->combining_class == 0) {
      ++it;
      continue;
    }
    auto end = std::find_if(it, text->end(), [](auto& x) { return x.combining_class == 0; });
    std::sort(it, end, [](const Changed& a, const Changed& b) {
      return std::tie(a.combining_class, a.place) < std::tie(b.combining_class, b.place);
    });
    it = end;
  }
}

void Compose(const icu::Normalizer2& tables, std::vector<Changed>* text) {
  std::vector<Changed> result;
  result.reserve(text->size());
  constexpr size_t kNone = SIZE_MAX;
  size_t starter = kNone;  // what marks may compose with
  for (const Changed& next : *text) {
    const bool adjacent = starter != kNone && starter + 1 == result.size();
    // Blocked by a mark between of the same class or a higher one, or by another starter.
    const bool free =
        starter != kNone && (adjacent || (result.back().combining_class != 0 &&
                                          result.back().combining_class < next.combining_class));
    if (free && IsKnown(next.c)) {
      const UChar32 composed =
          tables.composePair(static_cast<UChar32>(result[starter].c), static_cast<UChar32>(next.c));
      if (composed >= 0 && IsKnown(static_cast<char32_t>(composed))) {
        result[starter].c = static_cast<char32_t>(composed);
        result[starter].change += next.change - 1;
        continue;
      }
    }
    if (next.combining_class == 0) starter = result.size();
    result.push_back(next);
  }
  *text = std::move(result);
}

}  // namespace

absl::Status NormalizeUnicode(UnicodeForm form, AlignedText* text) {
  if (std::all_of(text->chars.begin(), text->chars.end(), [](char32_t c) { return c < 0x80; }))
    return absl::OkStatus();
  UErrorCode error = U_ZERO_ERROR;
  const bool compatible = form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
  const icu::Normalizer2* tables = compatible ? icu::Normalizer2::getNFKDInstance(error)
                                              : icu::Normalizer2::getNFDInstance(error);
  const icu::Normalizer2* pairs = icu::Normalizer2::getNFCInstance(error);
  if (U_FAILURE(error)) return absl::InternalError("ICU's normalization data cannot be loaded");
  std::vector<Changed> changed = Decomposed(text->chars, *tables);
  OrderMarks(&changed);
  if (form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc) Compose(*pairs, &changed);
  ASHLAR_RETURN_IF_ERROR(CheckNormalizedSize(changed.size()));
  TextRewriter rewriter(*text);
  for (const Changed& character : changed) rewriter.Put(character.c, character.change);
  *text = rewriter.Take();
  return absl::OkStatus();
}

}  // namespace ashlar
