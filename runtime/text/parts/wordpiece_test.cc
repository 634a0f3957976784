// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/wordpiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ashlar {
namespace {

using ::testing::ElementsAre;
constexpr int64_t kUnknown = 99;

class WordPieceTest : public ::testing::Test {
 protected:
  WordPieceTest() {
    int64_t id = 0;
    for (const char* token : {"play", "##ing", "##i", "##n", "play##", "é", "##é", "pl", "##g", ""})
      vocabulary_.Add(token, id++);
    vocabulary_.Add("[UNK]", kUnknown);
  }
  std::vector<int64_t> Split(std::string_view word) {
    if (!model_) model_ = std::make_unique<WordPiece>(std::move(vocabulary_), options_);
    std::vector<ModelToken> tokens = {{7}};  // what is there stays
    EXPECT_TRUE(model_->Tokenize(word, &tokens).ok());
    EXPECT_EQ(tokens[0].id, 7);
    std::vector<int64_t> ids;
    uint32_t end = 0;
    for (size_t i = 1; i < tokens.size(); ++i) {
      ids.push_back(tokens[i].id);
      EXPECT_EQ(tokens[i].begin, end);
      end = tokens[i].end;
    }
    EXPECT_EQ(end, word.size());
    return ids;
  }
  Vocabulary vocabulary_;
  WordPiece::Options options_;
  std::unique_ptr<WordPiece> model_;
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
}

TEST_F(WordPieceTest, OtherLimit) {
  options_.max_characters = 3;
  EXPECT_THAT(Split("ééé"), ElementsAre(5, 6, 6));
  EXPECT_THAT(Split("play"), ElementsAre(kUnknown));
}

TEST_F(WordPieceTest, OtherPrefixAndLastIdCounts) {
  options_.prefix = "@";
  vocabulary_.Add("@ed", 50);
  vocabulary_.Add("play", 51);
  EXPECT_THAT(Split("played"), ElementsAre(51, 50));
  EXPECT_THAT(Split("playing"), ElementsAre(kUnknown));
}

TEST_F(WordPieceTest, AHugeWordIsQuick) {
  EXPECT_THAT(Split(std::string(50 << 20, 'p')), ElementsAre(kUnknown));
}

TEST_F(WordPieceTest, NothingForTheUnknown) {
  WordPiece model(Vocabulary{}, WordPiece::Options{});
  std::vector<ModelToken> tokens;
  EXPECT_EQ(model.Tokenize("x", &tokens).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace ashlar
