// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every make of tokenizer under testdata/families on stored random texts, against what the packages
// that define them made of these (testdata/compare.py --write).
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/text/incremental_decoder.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using nlohmann::json;
using Ids = std::vector<int64_t>;

class Families : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto tokenizer = Tokenizer::Load(ASHLAR_TEXT_TESTDATA "/families/" + GetParam());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = std::move(*tokenizer);
    auto text = ReadFile(ASHLAR_TEXT_TESTDATA "/samples/" + GetParam() + ".json", 1 << 24);
    ASSERT_TRUE(text.ok()) << text.status();
    samples_ = json::parse(*text, nullptr, false);
    ASSERT_EQ(samples_.size(), 240u);
  }

  // Offsets in characters, as the package has them.
  Ids Places(const Encoding& encoding, const std::string& text, const std::string& pair) {
    Ids starts[2], places;
    DecodeUtf8(text, &starts[0]);
    DecodeUtf8(pair, &starts[1]);
    for (size_t i = 0; i < encoding.ids.size(); ++i) {
      const Ids& of = starts[encoding.sequences[i] == 1];
      for (int64_t byte : {encoding.offsets[i].begin, encoding.offsets[i].end})
        places.push_back(std::lower_bound(of.begin(), of.end(), byte) - of.begin());
    }
    return places;
  }

  void CheckEncode(const json& sample) {
    const std::string text = sample["text"].get<std::string>(), pair = sample.value("pair", "");
    std::optional<std::string_view> second;
    if (sample.contains("pair")) second = pair;
    auto encoding = tokenizer_->Encode(text, second, {}, sample.value("special", true));
    ASSERT_TRUE(encoding.ok()) << encoding.status();
    EXPECT_EQ(encoding->ids, sample["ids"].get<Ids>()) << sample;
    EXPECT_EQ(encoding->attention_mask, Ids(encoding->ids.size(), 1));
    const Ids zeros(encoding->ids.size(), 0);
    EXPECT_EQ(encoding->type_ids, sample.value("type_ids", zeros)) << sample;
    if (!sample.contains("offsets")) return;
    EXPECT_EQ(Places(*encoding, text, pair), sample["offsets"].get<Ids>()) << sample;
    EXPECT_EQ(encoding->special_tokens_mask, sample["special_tokens_mask"].get<Ids>()) << sample;
  }

  void CheckDecode(const json& sample) {
    const Ids ids = sample["decode"].get<Ids>();
    const bool skip = sample.value("skip", true);
    auto text = tokenizer_->Decode(ids, skip);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(*text, sample["text"].get<std::string>()) << sample;
    IncrementalDecoder decoder(*tokenizer_, skip);
    std::string streamed;
    for (int64_t id : ids) {
      auto piece = decoder.Push(id);
      ASSERT_TRUE(piece.ok()) << piece.status();
      EXPECT_TRUE(IsUtf8(*piece)) << sample;
      streamed += *piece;
    }
    streamed += *decoder.Finish();
    // Of runs of bytes that are no text see incremental_decoder.h.
    if (text->find("\uFFFD") == std::string::npos) EXPECT_EQ(streamed, *text) << sample;
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
  json samples_;
};

TEST_P(Families, EqualThePackages) {
  int encoded = 0;
  for (const json& sample : samples_) {
    if (sample.contains("decode")) {
      CheckDecode(sample);
    } else {
      CheckEncode(sample);
      ++encoded;
    }
  }
  EXPECT_EQ(encoded, 200);
}

// Whatever is damaged, loading ends in a tokenizer or in a message, and a tokenizer in ids or in a
// message.
TEST_P(Families, DamagedFiles) {
  const std::string from = ASHLAR_TEXT_TESTDATA "/families/" + GetParam();
  const std::string folder = ::testing::TempDir() + "/ashlar_families_" + GetParam();
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    auto bytes = ReadFile(entry.path().string(), 1 << 24);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const std::string name = folder + "/" + entry.path().filename().string();
    const size_t step = bytes->size() / 40 + 1;
    for (size_t i = 0; i < bytes->size(); i += step) {
      std::string damaged = *bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 7)));
      if (i % 2 == 1) damaged.resize(i);
      ASSERT_TRUE(WriteFile(name, damaged).ok());
      auto tokenizer = Tokenizer::Load(folder);
      if (!tokenizer.ok()) {
        EXPECT_NE(Message(tokenizer.status()).find(folder), std::string::npos)
            << tokenizer.status();
        continue;
      }
      auto encoding = (*tokenizer)->Encode("ﬁne  Straße 世界 it's 1984\n", "a\xFF");
      if (encoding.ok()) EXPECT_TRUE((*tokenizer)->Decode(encoding->ids).ok());
    }
  }
  std::filesystem::remove_all(folder);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(ASHLAR_TEXT_TESTDATA "/families"))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, Families, ::testing::ValuesIn(Names()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace ashlar
