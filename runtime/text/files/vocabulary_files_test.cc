// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// vocab.json and merges.txt; vocab.txt is in tokenizer_files_test.cc.
#include "runtime/text/files/vocabulary_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class VocabularyFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "/ashlar_vocabulary_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFile(directory_ + "/" + name, bytes).ok());
  }
  // Writes a stored tokenizer.json's model in the older files.
  json Unpack(const std::string& family) {
    auto text = ReadFile(ASHLAR_TEXT_TESTDATA "/families/" + family + "/tokenizer.json", 1 << 24);
    EXPECT_TRUE(text.ok()) << text.status();
    json whole = json::parse(*text, nullptr, false);
    Write("vocab.json", whole["model"]["vocab"].dump());
    std::string merges = "#version: 0.2\n";
    for (const json& merge : whole["model"]["merges"])
      merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
    Write("merges.txt", merges);
    return whole;
  }
  // Whether both make the same of the stored samples.
  void ExpectEqual(const std::string& family) {
    auto mine = Tokenizer::Load(directory_);
    ASSERT_TRUE(mine.ok()) << mine.status();
    auto whole = Tokenizer::Load(ASHLAR_TEXT_TESTDATA "/families/" + family);
    ASSERT_TRUE(whole.ok()) << whole.status();
    auto text = ReadFile(ASHLAR_TEXT_TESTDATA "/samples/" + family + ".json", 1 << 24);
    for (const json& sample : json::parse(*text, nullptr, false)) {
      if (!sample.contains("text") || sample.contains("decode")) continue;
      const std::string one = sample["text"].get<std::string>();
      auto got = (*mine)->Encode(one, one), wanted = (*whole)->Encode(one, one);
      EXPECT_EQ(got->ids, wanted->ids) << sample;
      EXPECT_EQ(got->offsets, wanted->offsets) << sample;
      EXPECT_EQ(*(*mine)->Decode(got->ids), *(*whole)->Decode(wanted->ids)) << sample;
    }
  }
  std::string Error() { return Message(Tokenizer::Load(directory_).status()); }

  std::string directory_;
};

TEST_F(VocabularyFiles, Gpt2) {
  Unpack("gpt2");
  ExpectEqual("gpt2");
  std::filesystem::rename(directory_ + "/vocab.json", directory_ + "/gpt2-vocab.json");
  std::filesystem::rename(directory_ + "/merges.txt", directory_ + "/gpt2-merges.txt");
  EXPECT_TRUE(Tokenizer::Load(directory_ + "/gpt2-vocab.json").ok());
}

TEST_F(VocabularyFiles, Roberta) {
  const json whole = Unpack("roberta");
  Write("added_tokens.json", json{{"<mask>", whole["added_tokens"].back()["id"]}}.dump());
  Write("tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizerFast",
      "mask_token": {"content": "<mask>", "lstrip": true}})");
  auto tokenizer = Tokenizer::Load(directory_);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("", "")->ids, ElementsAre(0, 2, 2, 2));
  EXPECT_EQ((*tokenizer)->pad_id(), 1);
  Write("added_tokens.json", "{}");
  Write("tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizer", "sep_token": "<e>"})");
  EXPECT_THAT(Error(), HasSubstr("tokens has no '<e>', which stands for the end of a text"));
}

TEST_F(VocabularyFiles, Qwen2) {
  const json whole = Unpack("qwen2");
  Write("tokenizer_config.json", R"({"tokenizer_class": "Qwen2Tokenizer",
      "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})");
  ExpectEqual("qwen2");
}

TEST_F(VocabularyFiles, Refuses) {
  Write("vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  EXPECT_THAT(Error(), HasSubstr("merges.txt"));
  Write("merges.txt", "#version: 0.2\na b\n\na\n");
  EXPECT_THAT(Error(), HasSubstr("merges.txt: line 4: expected two tokens with a blank between"));
  Write("merges.txt", "a b\nab a\n");
  EXPECT_THAT(Error(), HasSubstr("merges.txt: line 2: 'aba' is not in the vocabulary"));
  Write("merges.txt", "a \xFF\n");
  EXPECT_THAT(Error(), HasSubstr("merges.txt: line 1: not UTF-8"));
  Write("merges.txt", "a b\n");
  EXPECT_EQ(Error(), "");
  Write("tokenizer_config.json", R"({"tokenizer_class": "MagicTokenizer"})");
  EXPECT_THAT(Error(), HasSubstr("vocab.json: what a MagicTokenizer makes of this vocabulary"));
  Write("vocab.json", "[]");
  Write("tokenizer_config.json", "{}");
  EXPECT_THAT(Error(), HasSubstr("vocab.json: expected an object, found an array"));
}

}  // namespace
}  // namespace ashlar
