// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/bert_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<int64_t>;

// testdata/vocab.txt: a 69, ##a 99.
constexpr const char* kVocabulary = ASHLAR_TEXT_TESTDATA "/vocab.txt";

std::unique_ptr<const BertTokenizer> Load(bool lowercase = true) {
  auto files = ReadBertTokenizerFiles(kVocabulary);
  EXPECT_TRUE(files.ok()) << files.status();
  files->normalization.lowercase = lowercase;
  auto tokenizer = BertTokenizer::Create(*files);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return std::move(*tokenizer);
}

json ReadJson(const std::string& path) {
  auto text = ReadFile(path, 1 << 30);
  EXPECT_TRUE(text.ok()) << text.status();
  return json::parse(*text, nullptr, false);
}

// Random texts, and what transformers makes of them; see testdata/make_samples.py.
TEST(BertTokenizer, EqualsTheReferenceOnRandomText) {
  auto uncased = Load(true), cased = Load(false);
  json samples = ReadJson(ASHLAR_TEXT_TESTDATA "/samples.json");
  ASSERT_EQ(samples.size(), 160u);
  for (const json& sample : samples) {
    std::string text = sample["text"].get<std::string>(), pair = sample.value("pair", "");
    std::optional<std::string_view> second;
    if (sample.contains("pair")) second = pair;
    auto encoding = (sample["lowercase"] ? uncased : cased)
                        ->Encode(text, second, sample.value("max_length", BertTokenizer::kNoLimit));
    ASSERT_TRUE(encoding.ok()) << encoding.status();
    EXPECT_EQ(encoding->ids, sample["ids"].get<Ids>()) << sample;
    EXPECT_EQ(encoding->type_ids, sample["type_ids"].get<Ids>()) << sample;
  }
}

// 500 questions with their words, pieces and ids, as published.
TEST(BertTokenizer, TokenizesThePublishedQuestions) {
  const char* data = getenv("ASHLAR_SHARED_DATA");
  const std::string directory = StrCat(data ? data : "", "/tokenizers");
  if (!IsDirectory(directory)) GTEST_SKIP() << "no published questions at " << directory;
  auto tokenizer = BertTokenizer::Load(directory);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  auto files = ReadBertTokenizerFiles(directory);
  ASSERT_TRUE(files.ok()) << files.status();
  json questions = ReadJson(directory + "/question_tokens_500.json");
  json published = ReadJson(directory + "/tokenized_questions_500.json");
  ASSERT_EQ(questions.size(), 500u);
  ASSERT_EQ(published.size(), 500u);
  for (size_t i = 0; i < 500; ++i) {
    std::string text = questions[i]["original"].get<std::string>();
    auto normalized = NormalizeForBert(DecodeUtf8(text), {});
    ASSERT_TRUE(normalized.ok()) << normalized.status();
    json words = json::array();
    ForEachBertWord(*normalized, [&](std::string_view word) { words.push_back(word); });
    EXPECT_EQ(words, questions[i]["basic"]) << text;
    auto ids = (*tokenizer)->Tokenize(text);
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(*ids, published[i].get<Ids>()) << text;
    json pieces = json::array();
    for (int64_t id : *ids) {
      const std::string& piece = files->vocabulary[static_cast<size_t>(id)].first;
      pieces.push_back(piece.rfind("##", 0) == 0 ? piece.substr(2) : piece);
    }
    json expected = json::array();
    for (std::string piece : questions[i]["wordpiece"])
      expected.push_back(piece.rfind("##", 0) == 0 ? piece.substr(2) : piece);
    EXPECT_EQ(pieces, expected) << text;
  }
}

TEST(BertTokenizer, SpecialTokensInTheText) {
  auto tokenizer = Load();
  EXPECT_THAT(*tokenizer->Tokenize("a[SEP]a [MASK]"), ElementsAre(69, 3, 69, 4));
  EXPECT_EQ(tokenizer->Tokenize("[sep]")->size(), 5u);  // [ s ##e ##p ]
}

TEST(BertTokenizer, BytesThatAreNotUtf8AreCleanedAway) {
  auto tokenizer = Load();
  EXPECT_THAT(*tokenizer->Tokenize("a\xFF\xC3 \xED\xA0\x80 a"), ElementsAre(69, 69));
  EXPECT_THAT(*tokenizer->Tokenize(std::string("a\0a", 3)), ElementsAre(69, 99));
}

TEST(BertTokenizer, Truncates) {
  auto tokenizer = Load();
  auto encode = [&](int first, int second, int64_t length) {
    std::string a, b;
    for (int i = 0; i < first; ++i) a += "a ";
    for (int i = 0; i < second; ++i) b += "b ";
    auto encoding = tokenizer->Encode(a, b, length);
    EXPECT_TRUE(encoding.ok()) << encoding.status();
    EXPECT_EQ(encoding->full_length, first + second + 3);
    EXPECT_EQ(encoding->ids.size(), encoding->type_ids.size());
    int64_t kept = std::count(encoding->ids.begin(), encoding->ids.end(), 69);
    return std::make_pair(kept, static_cast<int64_t>(encoding->ids.size()) - 3 - kept);
  };
  using Kept = std::pair<int64_t, int64_t>;
  EXPECT_EQ(encode(2, 3, 8), Kept(2, 3));
  EXPECT_EQ(encode(2, 9, 10), Kept(2, 5));
  EXPECT_EQ(encode(9, 2, 10), Kept(5, 2));
  EXPECT_EQ(encode(9, 9, 10), Kept(3, 4));
  EXPECT_EQ(encode(9, 8, 10), Kept(4, 3));
  EXPECT_EQ(encode(9, 8, 3), Kept(0, 0));
  auto one = tokenizer->Encode("a a a a", std::nullopt, 4);
  EXPECT_EQ(one->ids, (Ids{2, 69, 69, 3}));
  EXPECT_EQ(one->full_length, 6);
  EXPECT_THAT(Message(tokenizer->Encode("a", "a", 2).status()),
              HasSubstr("a length of 2 has no room for the 3 special tokens"));
  EXPECT_FALSE(tokenizer->Encode("a", std::nullopt, 1).ok());
}

TEST(BertTokenizer, PadsABatch) {
  auto tokenizer = Load();
  auto batch = tokenizer->EncodeBatch({"a a", "a a a a", ""}, {}, 5);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->size, 3);
  EXPECT_EQ(batch->length, 5);
  EXPECT_EQ(batch->ids, (Ids{2, 69, 69, 3, 0, 2, 69, 69, 69, 3, 2, 3, 0, 0, 0}));
  EXPECT_EQ(batch->attention_mask, (Ids{1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0}));
  EXPECT_EQ(batch->type_ids, Ids(15, 0));
  EXPECT_EQ(batch->full_lengths, (Ids{4, 6, 2}));
  batch = tokenizer->EncodeBatch({"a", "a"}, {"a", ""});
  EXPECT_EQ(batch->ids, (Ids{2, 69, 3, 69, 3, 2, 69, 3, 3, 0}));
  EXPECT_EQ(batch->type_ids, (Ids{0, 0, 0, 1, 1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(batch->attention_mask, (Ids{1, 1, 1, 1, 1, 1, 1, 1, 1, 0}));
  EXPECT_THAT(Message(tokenizer->EncodeBatch({"a", "b"}, {"c"}).status()),
              HasSubstr("2 texts, but 1 texts"));
  batch = tokenizer->EncodeBatch({"a"}, {}, 8, 5);
  EXPECT_EQ(batch->ids, (Ids{2, 69, 3, 0, 0}));
  EXPECT_EQ(batch->attention_mask, (Ids{1, 1, 1, 0, 0}));
  EXPECT_EQ(tokenizer->EncodeBatch({})->size, 0);
}

TEST(BertTokenizer, RefusesATextBeyondItsLimit) {
  auto tokenizer = Load();
  EXPECT_THAT(Message(tokenizer->Tokenize(std::string((64 << 20) + 1, 'x')).status()),
              HasSubstr("a text of 67108865 bytes; at most 67108864"));
}

}  // namespace
}  // namespace ashlar
