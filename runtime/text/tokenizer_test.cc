// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/text/files/vocabulary_files.h"
#include "runtime/text/incremental_decoder.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<int64_t>;

// testdata/vocab.txt: a 69, ##a 99.
constexpr const char* kVocabulary = ASHLAR_TEXT_TESTDATA "/vocab.txt";

std::unique_ptr<const Tokenizer> Load(bool lowercase = true) {
  TokenizerConfig config;
  config.lowercase = lowercase;
  auto parts = ReadBertVocabulary(kVocabulary, config);
  EXPECT_TRUE(parts.ok()) << parts.status();
  auto tokenizer = Tokenizer::Create(std::move(*parts));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return std::move(*tokenizer);
}

Truncation Cut(int64_t length) {
  Truncation truncation;
  truncation.max_length = length;
  return truncation;
}

json ReadJson(const std::string& path) {
  auto text = ReadFile(path, 1 << 30);
  EXPECT_TRUE(text.ok()) << text.status();
  return json::parse(*text, nullptr, false);
}

// Random texts, and what transformers makes of them; see testdata/make_samples.py.
TEST(Tokenizer, EqualsTheReferenceOnRandomText) {
  auto uncased = Load(true), cased = Load(false);
  json samples = ReadJson(ASHLAR_TEXT_TESTDATA "/samples.json");
  ASSERT_EQ(samples.size(), 160u);
  for (const json& sample : samples) {
    std::string text = sample["text"].get<std::string>(), pair = sample.value("pair", "");
    std::optional<std::string_view> second;
    if (sample.contains("pair")) second = pair;
    auto encoding =
        (sample["lowercase"] ? uncased : cased)
            ->Encode(text, second, Cut(sample.value("max_length", Tokenizer::kNoLimit)));
    ASSERT_TRUE(encoding.ok()) << encoding.status();
    EXPECT_EQ(encoding->ids, sample["ids"].get<Ids>()) << sample;
    EXPECT_EQ(encoding->type_ids, sample["type_ids"].get<Ids>()) << sample;
  }
}

// 500 questions with their words, pieces and ids, as published.
TEST(Tokenizer, TokenizesThePublishedQuestions) {
  const char* data = getenv("ASHLAR_SHARED_DATA");
  const std::string directory = StrCat(data ? data : "", "/tokenizers");
  if (!IsDirectory(directory)) GTEST_SKIP() << "no published questions at " << directory;
  auto tokenizer = Tokenizer::Load(directory);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  json questions = ReadJson(directory + "/question_tokens_500.json");
  json published = ReadJson(directory + "/tokenized_questions_500.json");
  ASSERT_EQ(questions.size(), 500u);
  ASSERT_EQ(published.size(), 500u);
  for (size_t i = 0; i < 500; ++i) {
    std::string text = questions[i]["original"].get<std::string>();
    auto ids = (*tokenizer)->Tokenize(text);
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(*ids, published[i].get<Ids>()) << text;
    json pieces = json::array();
    for (int64_t id : *ids) {
      const std::string& piece = *(*tokenizer)->TokenText(id, /*skip_special_tokens=*/false);
      pieces.push_back(piece.rfind("##", 0) == 0 ? piece.substr(2) : piece);
    }
    json expected = json::array();
    for (std::string piece : questions[i]["wordpiece"])
      expected.push_back(piece.rfind("##", 0) == 0 ? piece.substr(2) : piece);
    EXPECT_EQ(pieces, expected) << text;
  }
}

TEST(Tokenizer, SpecialTokensInTheText) {
  auto tokenizer = Load();
  EXPECT_THAT(*tokenizer->Tokenize("a[SEP]a [MASK]"), ElementsAre(69, 3, 69, 4));
  EXPECT_EQ(tokenizer->Tokenize("[sep]")->size(), 5u);  // [ s ##e ##p ]
}

TEST(Tokenizer, BytesThatAreNotUtf8AreCleanedAway) {
  auto tokenizer = Load();
  EXPECT_THAT(*tokenizer->Tokenize("a\xFF\xC3 \xED\xA0\x80 a"), ElementsAre(69, 69));
  EXPECT_THAT(*tokenizer->Tokenize(std::string("a\0a", 3)), ElementsAre(69, 99));
}

TEST(Tokenizer, Truncates) {
  auto tokenizer = Load();
  auto encode = [&](int first, int second, int64_t length) {
    std::string a, b;
    for (int i = 0; i < first; ++i) a += "a ";
    for (int i = 0; i < second; ++i) b += "b ";
    auto encoding = tokenizer->Encode(a, b, Cut(length));
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
  auto one = tokenizer->Encode("a a a a", std::nullopt, Cut(4));
  EXPECT_EQ(one->ids, (Ids{2, 69, 69, 3}));
  EXPECT_EQ(one->full_length, 6);
  EXPECT_THAT(Message(tokenizer->Encode("a", "a", Cut(2)).status()),
              HasSubstr("a length of 2 has no room for the 3 special tokens"));
  EXPECT_FALSE(tokenizer->Encode("a", std::nullopt, Cut(1)).ok());
}

TEST(Tokenizer, PadsABatch) {
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

TEST(Tokenizer, RefusesATextBeyondItsLimit) {
  auto tokenizer = Load();
  EXPECT_THAT(Message(tokenizer->Tokenize(std::string((64 << 20) + 1, 'x')).status()),
              HasSubstr("a text of 67108865 bytes; at most 67108864"));
}

TEST(Tokenizer, TruncatesAsAsked) {
  auto tokenizer = Load();
  Truncation truncation = Cut(5);
  truncation.side = Side::kLeft;
  EXPECT_EQ(tokenizer->Encode("a b c d", std::nullopt, truncation)->ids, (Ids{2, 70, 71, 72, 3}));
  truncation = Cut(6);
  truncation.strategy = Truncation::Strategy::kOnlyFirst;
  EXPECT_EQ(tokenizer->Encode("a b c", "d e", truncation)->ids, (Ids{2, 69, 3, 72, 73, 3}));
  truncation.strategy = Truncation::Strategy::kOnlySecond;
  EXPECT_EQ(tokenizer->Encode("a b", "c d e", truncation)->ids, (Ids{2, 69, 70, 3, 71, 3}));
  EXPECT_THAT(Message(tokenizer->Encode("a b c d", "e", truncation).status()),
              HasSubstr("the text that may be cut has 1 tokens, of which 2 would have to go"));
  EXPECT_THAT(Message(tokenizer->Encode("a b c d e", std::nullopt, truncation).status()),
              HasSubstr("only the second text"));
}

TEST(Tokenizer, PadsAsAsked) {
  auto tokenizer = Load();
  auto encoding = tokenizer->Encode("a", "b");
  Padding padding = tokenizer->padding();
  EXPECT_EQ(padding.token, "[PAD]");
  padding.multiple_of = 4;
  padding.side = Side::kLeft;
  padding.type_id = 7;
  Tokenizer::Pad(padding, 0, &*encoding);
  EXPECT_EQ(encoding->ids, (Ids{0, 0, 0, 2, 69, 3, 70, 3}));
  EXPECT_EQ(encoding->type_ids, (Ids{7, 7, 7, 0, 0, 0, 1, 1}));
  EXPECT_EQ(encoding->attention_mask, (Ids{0, 0, 0, 1, 1, 1, 1, 1}));
  EXPECT_EQ(encoding->special_tokens_mask, (Ids{1, 1, 1, 1, 0, 1, 0, 1}));
  EXPECT_EQ(encoding->sequences, (Ids{-1, -1, -1, -1, 0, -1, 1, -1}));
  padding.fixed_length = 3;
  Tokenizer::Pad(padding, 20, &*encoding);
  EXPECT_EQ(encoding->ids.size(), 8u) << "never shorter";
}

TEST(Tokenizer, OffsetsAreBytes) {
  auto tokenizer = Load();
  using Offsets = Encoding::Offsets;
  // An accent that goes, a character of three bytes, bytes that are no character.
  auto encoding = tokenizer->Encode("e\xCC\x81 \xE4\xB8\x96\xFF a");
  EXPECT_THAT(encoding->offsets, ElementsAre(Offsets{0, 0}, Offsets{0, 1}, Offsets{4, 7},
                                             Offsets{9, 10}, Offsets{0, 0}));
}

TEST(Tokenizer, Decodes) {
  auto tokenizer = Load();
  auto ids = tokenizer->Encode("playing, a [MASK]")->ids;
  EXPECT_EQ(*tokenizer->Decode(ids), "playing, a");
  EXPECT_EQ(*tokenizer->Decode(ids, /*skip_special_tokens=*/false),
            "[CLS] playing, a [MASK] [SEP]");
  EXPECT_EQ(*tokenizer->Decode({-1, 69, 1 << 30, 70}), "a b") << "ids of no token";
}

}  // namespace
}  // namespace ashlar
