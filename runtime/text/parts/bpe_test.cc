// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<const Model>> Read(const json& model) {
  auto field = JsonField::Parse("m.json", model.dump());
  EXPECT_TRUE(field.ok()) << field.status();
  return Bpe::Read(*field);
}

json Small() {
  return {{"type", "BPE"},
          {"unk_token", "?"},
          {"vocab",
           {{"?", 0},
            {"a", 1},
            {"b", 2},
            {"c", 3},
            {"ab", 4},
            {"bc", 5},
            {"abc", 6},
            {"<0xC3>", 7},
            {"<0xA9>", 8},
            {"ac", 9}}},
          {"merges", {"b c", "a b", "ab c"}}};
}

// "id[begin,end)" of each token.
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

TEST(Bpe, LowestRankThenLeftmost) {
  EXPECT_EQ(Tokens(Small(), "abc"), "1[0,1) 5[1,3)");  // b c merges first, a bc never
  EXPECT_EQ(Tokens(Small(), "abab"), "4[0,2) 4[2,4)");
  EXPECT_EQ(Tokens(Small(), ""), "");
  json pairs = Small();
  pairs["merges"] = json::parse(R"([["a", "b"], ["ab", "c"]])");
  EXPECT_EQ(Tokens(pairs, "abc"), "6[0,3)");
}

TEST(Bpe, WholeWordsIgnoreMerges) {
  json model = Small();
  EXPECT_EQ(Tokens(model, "ac"), "1[0,1) 3[1,2)");
  model["ignore_merges"] = true;
  EXPECT_EQ(Tokens(model, "ac"), "9[0,2)");
  EXPECT_EQ(Tokens(model, "aca"), "1[0,1) 3[1,2) 1[2,3)");
}

TEST(Bpe, Unknown) {
  json model = Small();
  EXPECT_EQ(Tokens(model, "xéa"), "0[0,1) 0[1,3) 1[3,4)");
  model["fuse_unk"] = true;
  EXPECT_EQ(Tokens(model, "xéa"), "0[0,3) 1[3,4)");
  model["byte_fallback"] = true;
  EXPECT_EQ(Tokens(model, "aéb"), "1[0,1) 7[1,2) 8[2,3) 2[3,4)");
  EXPECT_EQ(Tokens(model, "世"), "0[0,3)") << "not all of its bytes are tokens";
  model["unk_token"] = "!";
  EXPECT_THAT(Tokens(model, "x"), HasSubstr("neither 'x' nor the unknown token '!'"));
  model["unk_token"] = nullptr;
  EXPECT_EQ(Tokens(model, "xa"), "1[0,1)") << "dropped, with its bytes, as in the package";
}

TEST(Bpe, PrefixAndSuffix) {
  json model = {{"vocab", {{"a", 0}, {"##b", 1}, {"##b</w>", 2}, {"ab</w>", 3}, {"a</w>", 4}}},
                {"merges", {"a ##b</w>"}},
                {"continuing_subword_prefix", "##"},
                {"end_of_word_suffix", "</w>"}};
  EXPECT_EQ(Tokens(model, "ab"), "3[0,2)");
  EXPECT_EQ(Tokens(model, "abb"), "0[0,1) 1[1,2) 2[2,3)");
  EXPECT_EQ(Tokens(model, "a"), "4[0,1)");
}

TEST(Bpe, Refuses) {
  struct {
    const char* pointer;
    json value;
    const char* message;
  } cases[] = {
      {"/dropout", 0.1, "m.json: dropout: merges dropped at random"},
      {"/merges/1", "a  b", "m.json: merges[1]: expected two tokens separated by one blank"},
      {"/merges/1", json::array({"a"}), "m.json: merges[1]: expected two tokens"},
      {"/merges/1", "a x", "m.json: merges[1]: 'x' is not in the vocabulary"},
      {"/merges/1", "c a", "m.json: merges[1]: 'ca' is not in the vocabulary"},
      {"/merges", 3, "m.json: merges: expected an array"},
      {"/vocab/a", 1.5, "m.json: vocab.a: expected an integer"},
      {"/magic", 3, "m.json: magic: this field is not supported"},
  };
  for (const auto& [pointer, value, message] : cases) {
    json model = Small();
    model[json::json_pointer(pointer)] = value;
    EXPECT_THAT(Message(Read(model).status()), HasSubstr(message));
  }
  json model = Small();
  model["dropout"] = 0.0;
  EXPECT_TRUE(Read(model).ok());
}

// Plain merging, pair after pair, of words over a small alphabet.
TEST(Bpe, EqualsPlainMerging) {
  std::mt19937 rng(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> tokens = {"a", "b", "c"};
    std::vector<std::pair<std::string, std::string>> merges;
    for (int i = 0; i < 12; ++i) {
      merges.emplace_back(tokens[rng() % tokens.size()], tokens[rng() % tokens.size()]);
      tokens.push_back(merges.back().first + merges.back().second);
    }
    json model = {{"vocab", json::object()}, {"merges", json::array()}};
    for (const auto& [left, right] : merges) model["merges"].push_back(json::array({left, right}));
    for (size_t i = 0; i < tokens.size(); ++i) model["vocab"][tokens[i]] = i;
    std::vector<std::string> plain(rng() % 30);
    std::string word;
    for (std::string& symbol : plain) word += symbol = tokens[rng() % 3];
    auto rank = [&](size_t i) {
      auto pair = std::make_pair(plain[i], plain[i + 1]);
      // Of a pair that is listed twice the last counts.
      auto found = std::find(merges.rbegin(), merges.rend(), pair);
      return found == merges.rend() ? SIZE_MAX : static_cast<size_t>(merges.rend() - found);
    };
    while (true) {
      size_t best = SIZE_MAX, place = 0;
      for (size_t i = 0; i + 1 < plain.size(); ++i)
        if (rank(i) < best) best = rank(i), place = i;
      if (best == SIZE_MAX) break;
      plain[place] += plain[place + 1];
      plain.erase(plain.begin() + static_cast<std::ptrdiff_t>(place) + 1);
    }
    auto read = Read(model);
    ASSERT_TRUE(read.ok()) << read.status();
    std::vector<ModelToken> cut;
    ASSERT_TRUE((*read)->Tokenize(word, &cut).ok());
    std::vector<std::string> got;
    for (const ModelToken& token : cut)
      got.push_back(word.substr(token.begin, token.end - token.begin));
    EXPECT_EQ(got, plain) << model.dump();
  }
}

// A word of a million characters takes n log n, not n^2: which would be hours.
TEST(Bpe, ALongWordIsQuick) {
  json model = {{"vocab", {{"a", 0}}}, {"merges", json::array()}};
  std::string token = "a";
  for (int i = 1; i < 12; ++i) {
    model["merges"].push_back(json::array({token, token}));
    model["vocab"][token += token] = i;
  }
  auto read = Read(model);
  std::vector<ModelToken> tokens;
  ASSERT_TRUE((*read)->Tokenize(std::string(1 << 20, 'a'), &tokens).ok());
  EXPECT_EQ(tokens.size(), (1u << 20) >> 11);
}

}  // namespace
}  // namespace ashlar
