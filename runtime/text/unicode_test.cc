// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/unicode.h"

#include <gtest/gtest.h>

namespace ashlar {
namespace {

TEST(Unicode, DecodesWhatIsUtf8) {
  EXPECT_EQ(DecodeUtf8("a\xC3\xA9\xE4\xB8\x96\xF0\x9F\x98\x80"), U"aé世😀");
  EXPECT_EQ(DecodeUtf8(std::string("\0x", 2)), std::u32string({0, 'x'}));
}

TEST(Unicode, ReplacesWhatIsNot) {
  const char* cases[] = {
      "\x80",      // a continuation alone
      "\xC3",      // cut
      "\xE4\xB8",  // cut later: one maximal part
      "\xF0\x9F\x98", "\xFF",
  };
  for (const char* bytes : cases) {
    EXPECT_EQ(DecodeUtf8(bytes), U"\uFFFD") << bytes;
    EXPECT_EQ(DecodeUtf8(bytes + std::string("z")), U"\uFFFDz") << bytes;
    EXPECT_FALSE(IsUtf8(bytes)) << bytes;
  }
  EXPECT_EQ(DecodeUtf8("\xC0\xAF"), U"\uFFFD\uFFFD");            // an overlong '/'
  EXPECT_EQ(DecodeUtf8("\xED\xA0\x80"), U"\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(DecodeUtf8("\xF4\x90\x80\x80").size(), 4u);          // beyond U+10FFFF
}

TEST(Unicode, EveryCharacterComesBack) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    std::string bytes;
    AppendUtf8(c, &bytes);
    if (c >= 0xD800 && c < 0xE000) {
      ASSERT_EQ(bytes, "");
      continue;
    }
    ASSERT_TRUE(IsUtf8(bytes));
    ASSERT_EQ(DecodeUtf8(bytes), std::u32string(1, c));
  }
  std::string none;
  AppendUtf8(0x110000, &none);
  EXPECT_EQ(none, "");
}

TEST(Unicode, Whitespace) {
  for (char32_t c : U" \t\n\v\f\r\u0085\u00A0\u2003\u2028\u3000")
    EXPECT_EQ(IsWhitespace(c), c != 0) << std::hex << c;
  for (char32_t c : {0x1C, 0x200B, 0x2060, 0xFEFF}) EXPECT_FALSE(IsWhitespace(c)) << std::hex << c;
}

TEST(Unicode, Control) {
  for (char32_t c : {0x0, 0x1, 0xB, 0x7F, 0x85, 0xAD, 0x200B, 0x202E, 0xE000, 0xFEFF, 0xE0001})
    EXPECT_TRUE(IsControl(c)) << std::hex << c;
  // 0x378 is not assigned; 0x890 was not in Unicode 8.0.
  for (char32_t c : {0x9, 0xA, 0xD, 0x20, 0x41, 0x378, 0x890, 0xFFFD, 0xFFFE})
    EXPECT_FALSE(IsControl(c)) << std::hex << c;
}

TEST(Unicode, Punctuation) {
  for (char32_t c = 33; c < 127; ++c) EXPECT_EQ(IsPunctuation(c), !isalnum(static_cast<int>(c)));
  for (char32_t c : {0xA1, 0xBF, 0x2014, 0x2026, 0x3002, 0x166D, 0x111C9})
    EXPECT_TRUE(IsPunctuation(c)) << std::hex << c;
  // Symbols beyond ASCII are none, nor what is younger than the tables.
  for (char32_t c : {0x20, 0x7F, 0xA3, 0x20AC, 0x2E43, 0x2E5D, 0x1F600})
    EXPECT_FALSE(IsPunctuation(c)) << std::hex << c;
}

TEST(Unicode, Marks) {
  for (char32_t c : {0x301, 0x5BF, 0x1734, 0x3099}) EXPECT_TRUE(IsNonspacingMark(c)) << c;
  for (char32_t c : {0x41, 0x903, 0x1885, 0xA9BD, 0x8D4}) EXPECT_FALSE(IsNonspacingMark(c)) << c;
}

TEST(Unicode, CjkBlocks) {
  const std::pair<char32_t, char32_t> blocks[] = {
      {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},  {0x20000, 0x2A6DF},
      {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
  for (auto [first, last] : blocks) {
    EXPECT_TRUE(IsCjk(first) && IsCjk(last)) << std::hex << first;
    EXPECT_FALSE(IsCjk(first - 1) || IsCjk(last + 1)) << std::hex << first;
  }
  EXPECT_FALSE(IsCjk(0x3042) || IsCjk(0xAC00));  // kana, hangul
}

TEST(Unicode, CombiningMarks) {
  for (char32_t c : {0x301, 0x903, 0x20DD, 0x1885, 0x1CF2}) EXPECT_TRUE(IsCombiningMark(c)) << c;
  for (char32_t c : {0x41, 0x111C9, 0x7FD, 0x1AC0}) EXPECT_FALSE(IsCombiningMark(c)) << c;
}

TEST(Unicode, NumbersAndWords) {
  for (char32_t c : {0x30, 0xB2, 0x660, 0x2160, 0x3007}) EXPECT_TRUE(IsNumeric(c)) << c;
  for (char32_t c : {0x41, 0x4E00, 0x3A}) EXPECT_FALSE(IsNumeric(c)) << c;
  for (char32_t c : {0x5F, 0x39, 0x4E00, 0x301, 0x200D, 0x24B6, 0x203F})
    EXPECT_TRUE(IsWordCharacter(c)) << c;
  for (char32_t c : {0x20, 0x2D, 0xB2, 0x2014, 0x1F600}) EXPECT_FALSE(IsWordCharacter(c)) << c;
}

TEST(Unicode, PlacesOfCharacters) {
  std::vector<int64_t> places;
  EXPECT_EQ(DecodeUtf8("a\xC3\xA9\xE4\xB8z", &places), U"aé\uFFFDz");
  EXPECT_EQ(places, (std::vector<int64_t>{0, 1, 3, 5, 6}));
}

TEST(Unicode, LowersCharacterByCharacter) {
  std::u32string text;
  for (char32_t c : std::u32string_view(U"AzÉ\u0130ΣΑΣẞ世")) AppendLowercase(c, &text);
  EXPECT_EQ(text, U"azéi\u0307σασß世");  // no final sigma
}

}  // namespace
}  // namespace ashlar
