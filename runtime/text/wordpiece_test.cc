// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/wordpiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/added_tokens.h"

namespace ashlar {
namespace {

using ::testing::ElementsAre;
constexpr int64_t kUnknown = 99;

class WordPieceTest : public ::testing::Test {
 protected:
  WordPieceTest() {
    int64_t id = 0;
    for (const char* token : {"play", "##ing", "##i", "##n", "play##", "é", "##é", "pl", "##g", ""})
      pieces_.Add(token, id++);
  }
  std::vector<int64_t> Split(std::string_view word) {
    std::vector<int64_t> ids = {7};  // what is there stays
    pieces_.Split(word, kUnknown, &ids);
    EXPECT_EQ(ids[0], 7);
    return {ids.begin() + 1, ids.end()};
  }
  WordPiece pieces_;
};

TEST_F(WordPieceTest, LongestFirst) {
  EXPECT_THAT(Split("playing"), ElementsAre(0, 1));
  EXPECT_THAT(Split("playin"), ElementsAre(0, 2, 3));
  EXPECT_THAT(Split("play##"), ElementsAre(4));
  EXPECT_THAT(Split("pléi"), ElementsAre(7, 6, 2));
  EXPECT_THAT(Split("éé"), ElementsAre(5, 6));
}

TEST_F(WordPieceTest, AllOrNothing) {
  EXPECT_THAT(Split("playx"), ElementsAre(kUnknown));
  EXPECT_THAT(Split("xplay"), ElementsAre(kUnknown));
  EXPECT_THAT(Split("plin\xC3"), ElementsAre(kUnknown));  // half a character
  EXPECT_THAT(Split(""), ElementsAre());
}

TEST_F(WordPieceTest, CountsCharactersNotBytes) {
  std::string word;
  for (int i = 0; i < 100; ++i) word += "é";
  EXPECT_EQ(Split(word).size(), 100u);
  EXPECT_THAT(Split(word + "é"), ElementsAre(kUnknown));
  pieces_.SetMaxCharacters(3);
  EXPECT_THAT(Split("ééé"), ElementsAre(5, 6, 6));
  EXPECT_THAT(Split("play"), ElementsAre(kUnknown));
}

TEST_F(WordPieceTest, OtherPrefixAndLastIdCounts) {
  pieces_.SetPrefix("@");
  pieces_.Add("@ed", 50);
  pieces_.Add("play", 51);
  EXPECT_THAT(Split("played"), ElementsAre(51, 50));
  EXPECT_THAT(Split("playing"), ElementsAre(kUnknown));
}

TEST_F(WordPieceTest, AHugeWordIsQuick) {
  EXPECT_THAT(Split(std::string(50 << 20, 'p')), ElementsAre(kUnknown));
}

TEST(AddedTokens, LongestFromLeftToRight) {
  AddedTokens tokens;
  tokens.Add(U"[A]", 1);
  tokens.Add(U"[A]b", 2);
  tokens.Add(U"[", 3);
  tokens.Add(U"é世", 4);
  tokens.Add(U"", 5);
  std::vector<std::pair<std::u32string, int64_t>> parts;
  for (const auto& part : tokens.Split(U"x[A][A]bc[[A é世[A"))
    parts.emplace_back(part.text, part.id);
  using Parts = decltype(parts);
  EXPECT_EQ(parts, (Parts{{U"x", -1},
                          {U"[A]", 1},
                          {U"[A]b", 2},
                          {U"c", -1},
                          {U"[", 3},
                          {U"[", 3},
                          {U"A ", -1},
                          {U"é世", 4},
                          {U"[", 3},
                          {U"A", -1}}));
  EXPECT_TRUE(tokens.Split(U"").empty());
}

}  // namespace
}  // namespace ashlar
