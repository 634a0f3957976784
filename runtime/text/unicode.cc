// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/unicode.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

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

}  // namespace

std::u32string DecodeUtf8(std::string_view bytes) { return DecodeUtf8(bytes, nullptr); }

std::u32string DecodeUtf8(std::string_view bytes, std::vector<int64_t>* places) {
  std::u32string text;
  text.reserve(bytes.size());
  const char* data = bytes.data();
  size_t i = 0, size = bytes.size();
  while (i < size) {
    if (places) places->push_back(static_cast<int64_t>(i));
    UChar32 c;
    U8_NEXT_OR_FFFD(data, i, size, c);
    text.push_back(static_cast<char32_t>(c));
  }
  if (places) places->push_back(static_cast<int64_t>(size));
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

std::string EncodeUtf8(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (char32_t c : text) AppendUtf8(c, &bytes);
  return bytes;
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

bool IsCombiningMark(char32_t c) {
  if (c == 0x1CF2 || c == 0x1CF3) return true;  // Vedic signs ardhavisarga, Lo since 12.0
  if (c < 0x300 || !(U_MASK(u_charType(static_cast<UChar32>(c))) & U_GC_M_MASK)) return false;
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] <= 9 && c != 0x111C9;  // Sharada sandhi mark, Po until 11.0
}

bool IsNumeric(char32_t c) {
  return c < 0x80 ? c >= '0' && c <= '9'
                  : U_MASK(u_charType(static_cast<UChar32>(c))) & U_GC_N_MASK;
}

bool IsWordCharacter(char32_t c) {
  const auto code = static_cast<UChar32>(c);
  constexpr uint32_t kMask = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return (U_MASK(u_charType(code)) & kMask) || u_isUAlphabetic(code) || c == 0x200C || c == 0x200D;
}

bool IsCjk(char32_t c) {
  if (c < 0x3400) return false;
  return c <= 0x4DBF || (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
         (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0x2F800 && c <= 0x2FA1F);
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
