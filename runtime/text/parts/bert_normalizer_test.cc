// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/bert_normalizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/parts/pre_tokenizer.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using ::testing::ElementsAre;
using Words = std::vector<std::string>;

Words WordsOf(const std::u32string& text, const BertNormalization& how = {}) {
  Pieces pieces;
  pieces.text = AlignedText::Identity(text);
  EXPECT_TRUE(BertNormalizer(how).Apply(&pieces.text).ok());
  pieces.pieces.push_back({0, pieces.text.size()});
  EXPECT_TRUE(MakeBertPreTokenizer()->Apply(&pieces).ok());
  Words words;
  for (const Piece& piece : pieces.pieces)
    words.push_back(EncodeUtf8(
        std::u32string_view(pieces.text.chars).substr(piece.begin, piece.end - piece.begin)));
  return words;
}

TEST(BertWords, SplitsAtWhitespaceAndPunctuation) {
  EXPECT_THAT(WordsOf(U" \tHello,  World!?\n"), ElementsAre("hello", ",", "world", "!", "?"));
  EXPECT_THAT(WordsOf(U"don't $5 a+b"),
              ElementsAre("don", "'", "t", "$", "5", "a", "+", "b"));  // symbols of ASCII
  EXPECT_THAT(WordsOf(U"5€ ¿qué…"), ElementsAre("5€", "¿", "que", "…"));
  EXPECT_THAT(WordsOf(U" \t "), ElementsAre());
  EXPECT_THAT(WordsOf(U""), ElementsAre());
}

TEST(BertWords, SpacesChineseAlone) {
  EXPECT_THAT(WordsOf(U"ah\u535A\u63A8zz"), ElementsAre("ah", "博", "推", "zz"));
  EXPECT_THAT(WordsOf(U"カタ 한국"), ElementsAre("カタ", "\u1112\u1161\u11AB\u1100\u116E\u11A8"));
  BertNormalization how;
  how.split_cjk = false;
  EXPECT_THAT(WordsOf(U"ah\u535A\u63A8zz", how), ElementsAre("ah博推zz"));
}

TEST(BertWords, CleansText) {
  const std::u32string text = {'a', 0, 'b', 0xFFFD, 'c', 0xAD, 'd', 0x200B, 0xA0, 'e', 0x1C, 'f'};
  EXPECT_THAT(WordsOf(text), ElementsAre("abcd", "ef"));
  BertNormalization how;
  how.clean_text = false;
  EXPECT_EQ(WordsOf(U"a\u200Bb\u00A0c", how), (Words{"a\u200Bb", "c"}));
}

TEST(BertWords, CaseAndAccents) {
  struct {
    bool lowercase;
    std::optional<bool> strip;
    const char* expected;
  } cases[] = {{true, std::nullopt, "ealoe"}, {false, std::nullopt, "ÉaLÖe\u0301"},
               {true, false, "éalöe\u0301"},  {true, true, "ealoe"},
               {false, true, "EaLOe"},        {false, false, "ÉaLÖe\u0301"}};
  for (const auto& [lowercase, strip, expected] : cases) {
    BertNormalization how;
    how.lowercase = lowercase;
    how.strip_accents = strip;
    EXPECT_THAT(WordsOf(U"ÉaLÖe\u0301", how), ElementsAre(expected));
  }
  // The dot of a lowered I is an accent too, and goes before the case does.
  EXPECT_THAT(WordsOf(U"\u0130x"), ElementsAre("ix"));
}

}  // namespace
}  // namespace ashlar
