// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/unicode.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr uint8_t kCategoriesAge = 8;
constexpr uint32_t kPunctuation = U_GC_P_MASK,
                   kControl = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK;

// The categories of c in Unicode 8.0, as a bit; that of unassigned ones where c is younger.
uint32_t CategoryMask(char32_t c) {
  switch (c) {
    case 0x166D:   // Canadian syllabics chi sign, So since 12.0
    case 0x111C9:  // Sharada sandhi mark, Mn since 11.0
      return U_GC_PO_MASK;
    case 0x1734:  // Hanunoo sign pamudpod, Mc since 14.0
      return U_GC_MN_MASK;
    case 0x1885:  // Mongolian letters Ali Gali baluda and three baluda, Mn since 9.0
    case 0x1886:
      return U_GC_LO_MASK;
    case 0xA9BD:  // Javanese consonant sign keret, Mn since 11.0
      return U_GC_MC_MASK;
  }
  uint32_t mask = U_MASK(u_charType(static_cast<UChar32>(c)));
  if (c < 0x80 || !(mask & (kPunctuation | kControl | U_GC_MN_MASK))) return mask;
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] > kCategoriesAge ? U_GC_CN_MASK : mask;
}

// NFD of the characters that Unicode 12.1 had; nothing where ICU's data are missing. Never freed:
// it is used until the process ends.
const icu::Normalizer2* Decomposition() {
  static const icu::Normalizer2* normalizer = []() -> const icu::Normalizer2* {
    UErrorCode error = U_ZERO_ERROR;
    const icu::Normalizer2* all = icu::Normalizer2::getNFDInstance(error);
    auto* set = new icu::UnicodeSet(icu::UnicodeString::fromUTF8("[:age=12.1:]"), error);
    if (U_FAILURE(error)) return nullptr;
    set->freeze();
    return new icu::FilteredNormalizer2(*all, *set);
  }();
  return normalizer;
}

}  // namespace

std::u32string DecodeUtf8(std::string_view bytes) {
  std::u32string text;
  text.reserve(bytes.size());
  const char* data = bytes.data();
  size_t i = 0, size = bytes.size();
  while (i < size) {
    UChar32 c;
    U8_NEXT_OR_FFFD(data, i, size, c);
    text.push_back(static_cast<char32_t>(c));
  }
  return text;
}

bool IsUtf8(std::string_view bytes) {
  const char* data = bytes.data();
  size_t i = 0, size = bytes.size();
  while (i < size) {
    UChar32 c;
    U8_NEXT(data, i, size, c);
    if (c < 0) return false;
  }
  return true;
}

void AppendUtf8(char32_t c, std::string* bytes) {
  char buffer[U8_MAX_LENGTH];
  size_t size = 0;
  UBool error = false;
  U8_APPEND(buffer, size, static_cast<size_t>(U8_MAX_LENGTH), c, error);
  if (!error) bytes->append(buffer, size);
}

bool IsWhitespace(char32_t c) {
  return c < 0x80 ? c == ' ' || (c >= 9 && c <= 13) : u_isUWhiteSpace(static_cast<UChar32>(c));
}

bool IsControl(char32_t c) {
  if (c < 0x80) return (c < 32 && c != '\t' && c != '\n' && c != '\r') || c == 127;
  return CategoryMask(c) & kControl;
}

bool IsPunctuation(char32_t c) {
  if (c < 0x80)
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  return CategoryMask(c) & kPunctuation;
}

bool IsNonspacingMark(char32_t c) { return c >= 0x80 && (CategoryMask(c) & U_GC_MN_MASK); }

bool IsCjk(char32_t c) {
  if (c < 0x3400) return false;
  return c <= 0x4DBF || (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
         (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

absl::StatusOr<std::u32string> Decompose(const std::u32string& text) {
  const icu::Normalizer2* normalizer = Decomposition();
  if (!normalizer) return absl::InternalError("ICU's normalization data cannot be loaded");
  UErrorCode error = U_ZERO_ERROR;
  auto source = icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                              static_cast<int32_t>(text.size()));
  icu::UnicodeString decomposed = normalizer->normalize(source, error);
  std::u32string result(decomposed.countChar32(), U'\0');
  decomposed.toUTF32(reinterpret_cast<UChar32*>(result.data()), static_cast<int32_t>(result.size()),
                     error);
  if (U_FAILURE(error) && error != U_STRING_NOT_TERMINATED_WARNING)
    return absl::InternalError(StrCat("ICU's normalization failed: ", u_errorName(error)));
  return result;
}

void AppendLowercase(char32_t c, std::u32string* text) {
  if (c < 0x80) {
    text->push_back(c >= 'A' && c <= 'Z' ? c + 32 : c);
  } else if (c == 0x130) {  // I with a dot above: the one lower case of two characters
    text->append({U'i', U'\u0307'});
  } else {
    text->push_back(static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
  }
}

}  // namespace ashlar
