// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/unicode_forms.h"

#include <gtest/gtest.h>
#include <unicode/normalizer2.h>
#include <unicode/unistr.h>

#include <random>

namespace ashlar {
namespace {

std::u32string Form(UnicodeForm form, std::u32string text) {
  AlignedText aligned = AlignedText::Identity(std::move(text));
  EXPECT_TRUE(NormalizeUnicode(form, &aligned).ok());
  EXPECT_EQ(aligned.spans.size(), aligned.chars.size());
  return aligned.chars;
}

TEST(UnicodeForms, Decomposes) {
  auto nfd = [](std::u32string text) { return Form(UnicodeForm::kNfd, std::move(text)); };
  EXPECT_EQ(nfd(U"é한Å"), U"e\u0301\u1112\u1161\u11ABA\u030A");
  EXPECT_EQ(nfd(U"a\u0301\u0323"), U"a\u0323\u0301");  // in canonical order
  EXPECT_EQ(nfd(U"\U00011938"), U"\U00011938");        // decomposes since Unicode 13
  EXPECT_EQ(nfd(U"\uFB01"), U"\uFB01");                // compatibility only
  EXPECT_EQ(nfd(U""), U"");
  EXPECT_EQ(Form(UnicodeForm::kNfkd, U"\uFB01½"), U"fi1\u20442");
  EXPECT_EQ(Form(UnicodeForm::kNfkd, U"\u32FF\u32FE"), U"\u32FFヲ");  // the former since 12.1
}

TEST(UnicodeForms, Composes) {
  EXPECT_EQ(Form(UnicodeForm::kNfc, U"e\u0301\u1112\u1161\u11ABA\u030A"), U"é한Å");
  EXPECT_EQ(Form(UnicodeForm::kNfc, U"a\u0301\u0323"), U"\u1EA1\u0301");  // past a mark
  EXPECT_EQ(Form(UnicodeForm::kNfc, U"\u0958"), U"\u0915\u093C");         // never composed
  EXPECT_EQ(Form(UnicodeForm::kNfkc, U"ﬁ²Ａ"), U"fi2A");
}

TEST(UnicodeForms, KeepsPlaces) {
  AlignedText text = AlignedText::Identity(U"xe\u0301éy");
  ASSERT_TRUE(NormalizeUnicode(UnicodeForm::kNfc, &text).ok());
  EXPECT_EQ(text.spans, (std::vector<Span>{{0, 1}, {1, 2}, {3, 4}, {4, 5}}));
  text = AlignedText::Identity(U"éy");
  ASSERT_TRUE(NormalizeUnicode(UnicodeForm::kNfd, &text).ok());
  EXPECT_EQ(text.spans, (std::vector<Span>{{0, 1}, {0, 1}, {1, 2}}));
}

// ICU's own normalizers on the characters that both know.
TEST(UnicodeForms, EqualIcu) {
  UErrorCode error = U_ZERO_ERROR;
  const std::pair<UnicodeForm, const icu::Normalizer2*> forms[] = {
      {UnicodeForm::kNfc, icu::Normalizer2::getNFCInstance(error)},
      {UnicodeForm::kNfd, icu::Normalizer2::getNFDInstance(error)},
      {UnicodeForm::kNfkc, icu::Normalizer2::getNFKCInstance(error)},
      {UnicodeForm::kNfkd, icu::Normalizer2::getNFKDInstance(error)}};
  ASSERT_TRUE(U_SUCCESS(error));
  const std::pair<char32_t, char32_t> ranges[] = {
      {0x20, 0x7F},     {0xC0, 0x180},    {0x300, 0x370},   {0x93C, 0x960},  {0x1100, 0x11FF},
      {0x1E00, 0x2000}, {0x2100, 0x2200}, {0xAC00, 0xAC40}, {0xFB00, 0xFB50}};
  std::mt19937 rng(7);
  for (int round = 0; round < 20000; ++round) {
    std::u32string text;
    for (unsigned n = rng() % 8; n > 0; --n) {
      const auto& [first, last] = ranges[rng() % std::size(ranges)];
      text += static_cast<char32_t>(first + rng() % (last - first));
    }
    const auto source = icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                                      static_cast<int32_t>(text.size()));
    for (const auto& [form, normalizer] : forms) {
      const std::u32string mine = Form(form, text);
      const auto got = icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(mine.data()),
                                                     static_cast<int32_t>(mine.size()));
      ASSERT_TRUE(got == normalizer->normalize(source, error)) << round;
    }
  }
}

}  // namespace
}  // namespace ashlar
