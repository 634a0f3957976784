// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/unigram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<const Model>> Read(const json& model) {
  auto field = JsonField::Parse("m.json", model.dump());
  EXPECT_TRUE(field.ok()) << field.status();
  return Unigram::Read(*field);
}

json Small() {
  return json::parse(R"({"unk_id": 0, "vocab": [["?", 0], ["a", -1], ["b", -1], ["c", -1],
      ["ab", -1.5], ["bc", -1.25], ["<0xC3>", -5], ["<0xA9>", -5]]})");
}

std::string Tokens(const json& model, const std::string& word) {
  auto read = Read(model);
  EXPECT_TRUE(read.ok()) << read.status();
  std::vector<ModelToken> tokens;
  absl::Status status = (*read)->Tokenize(word, &tokens);
  if (!status.ok()) return Message(status);
  std::vector<std::string> texts;
  for (const ModelToken& token : tokens)
    texts.push_back(StrCat(token.id, "[", token.begin, ",", token.end, ")"));
  return StrJoin(texts, " ");
}

TEST(Unigram, BestSum) {
  EXPECT_EQ(Tokens(Small(), "abc"), "1[0,1) 5[1,3)");
  EXPECT_EQ(Tokens(Small(), "ab"), "4[0,2)");
  EXPECT_EQ(Tokens(Small(), ""), "");
}

TEST(Unigram, Unknown) {
  EXPECT_EQ(Tokens(Small(), "aéxb"), "1[0,1) 0[1,4) 2[4,5)") << "neighbours are one";
  json model = Small();
  model["byte_fallback"] = true;
  EXPECT_EQ(Tokens(model, "aéb"), "1[0,1) 6[1,3) 7[1,3) 2[3,4)");
  EXPECT_EQ(Tokens(model, "x"), "0[0,1)") << "no token for this byte";
  model["unk_id"] = nullptr;
  EXPECT_THAT(Tokens(model, "ax"), HasSubstr("neither 'x' nor a token for the unknown"));
  EXPECT_EQ(Tokens(model, "a"), "1[0,1)");
}

TEST(Unigram, Refuses) {
  struct {
    const char* pointer;
    json value;
    const char* message;
  } cases[] = {
      {"/unk_id", 8, "m.json: unk_id: expected the id of one of 8 pieces, found 8"},
      {"/vocab", json::array(), "m.json: the vocabulary is empty"},
      {"/vocab/1", json::array({"a"}), "m.json: vocab[1]: expected a piece and its score"},
      {"/vocab/1/1", "x", "m.json: vocab[1][1]: expected a number"},
      {"/vocab/1/0", 4, "m.json: vocab[1][0]: expected a string"},
  };
  for (const auto& [pointer, value, message] : cases) {
    json model = Small();
    model[json::json_pointer(pointer)] = value;
    EXPECT_THAT(Message(Read(model).status()), HasSubstr(message));
  }
}

// The best of all ways to cut short words.
TEST(Unigram, EqualsTrialOfAllCuts) {
  std::mt19937 rng(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<Unigram::Piece> pieces = {{"?", 0}};
    double least = 0;
    for (int i = 0; i < 8; ++i) {
      std::string text;
      for (unsigned n = 0; n < 1 + rng() % 3; ++n) text += static_cast<char>('a' + rng() % 3);
      if (std::any_of(pieces.begin(), pieces.end(), [&](auto& p) { return p.text == text; }))
        continue;
      pieces.push_back({text, -static_cast<double>(rng() % 1000003) / 1e5});
      least = std::min(least, pieces.back().score);
    }
    std::string word;
    for (unsigned n = 0; n < rng() % 9; ++n) word += static_cast<char>('a' + rng() % 3);
    std::function<double(size_t)> best = [&](size_t at) -> double {
      if (at == word.size()) return 0;
      double most = -1e9;
      bool single = false;
      for (const auto& piece : pieces) {
        if (word.compare(at, piece.text.size(), piece.text) != 0) continue;
        most = std::max(most, piece.score + best(at + piece.text.size()));
        single |= piece.text.size() == 1;
      }
      return single ? most : std::max(most, least - 10 + best(at + 1));
    };
    Unigram::Options options;
    options.unknown = 0;
    Unigram model(pieces, options);
    std::vector<ModelToken> tokens;
    ASSERT_TRUE(model.Tokenize(word, &tokens).ok());
    double sum = 0;
    for (const ModelToken& token : tokens)
      sum += token.id == 0 ? (least - 10) * (token.end - token.begin)
                           : pieces[static_cast<size_t>(token.id)].score;
    EXPECT_NEAR(sum, best(0), 1e-9) << word;
  }
}

}  // namespace
}  // namespace ashlar
