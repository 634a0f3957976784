// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the files of a tokenizer may hold, one field at a time, and what is refused.
#include "runtime/text/files/tokenizer_files.h"

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
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TokenizerFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "/ashlar_text_" + std::to_string(getpid());
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    tokenizer_ = json::parse(R"({
      "version": "1.0", "truncation": {"max_length": 3}, "padding": null,
      "added_tokens": [{"id": 2, "content": "[CLS]", "special": true, "single_word": false,
                        "lstrip": false, "rstrip": false, "normalized": false}],
      "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                     "strip_accents": null, "lowercase": true},
      "pre_tokenizer": {"type": "BertPreTokenizer"},
      "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
        "special_tokens": {}},
      "decoder": {"type": "WordPiece"},
      "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "A": 5, "##b": 6}}})");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFile(directory_ + "/" + name, bytes).ok());
  }
  // The ids of "A ab", or the error.
  std::string Load(const std::string& name = "") {
    auto tokenizer = Tokenizer::Load(directory_ + name);
    if (!tokenizer.ok()) return Message(tokenizer.status());
    return StrJoin(*(*tokenizer)->Tokenize("A ab"), ",");
  }
  // With tokenizer.json changed at a JSON pointer.
  std::string LoadChanged(const std::string& pointer, const json& value) {
    json changed = tokenizer_;
    changed[json::json_pointer(pointer)] = value;
    Write("tokenizer.json", changed.dump());
    return Load();
  }

  std::string directory_;
  json tokenizer_;
};

TEST_F(TokenizerFilesTest, VocabularyText) {
  Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\r\na\nA\n##b");
  EXPECT_EQ(Load(), "4,4,6");
  EXPECT_EQ(Load("/vocab.txt"), "4,4,6");
  Write("tokenizer_config.json", R"({"do_lower_case": false, "model_max_length": 1e30})");
  EXPECT_EQ(Load(), "5,4,6");
  EXPECT_EQ(Load("/vocab.txt"), "4,4,6") << "a file alone is read alone";
  Write("tokenizer.json", tokenizer_.dump());
  EXPECT_EQ(Load(), "5,4,6") << "the configuration changes tokenizer.json too";
}

TEST_F(TokenizerFilesTest, VocabularyTextErrors) {
  EXPECT_THAT(Load(), HasSubstr(directory_ + ": expected a tokenizer.json or vocab.txt"));
  EXPECT_THAT(Load("/none.txt"), HasSubstr("/none.txt"));
  Write("vocab.txt", "");
  EXPECT_THAT(Load(), HasSubstr("vocab.txt: the vocabulary is empty"));
  Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n");
  EXPECT_THAT(Load(), HasSubstr("vocab.txt: the vocabulary of 3 tokens has no '[SEP]'"));
  Write("vocab.txt", "[PAD]\n\xC3(\n");
  EXPECT_THAT(Load(), HasSubstr("vocab.txt: line 2: not UTF-8: '\\xc3('"));
}

TEST_F(TokenizerFilesTest, TokenizerJson) {
  Write("tokenizer.json", tokenizer_.dump());
  EXPECT_EQ(Load(), "4,4,6");
  EXPECT_EQ(Load("/tokenizer.json"), "4,4,6");
  EXPECT_EQ(LoadChanged("/normalizer/lowercase", false), "5,4,6");
  EXPECT_EQ(LoadChanged("/model/max_input_chars_per_word", 1), "4,1");
  EXPECT_EQ(LoadChanged("/model/continuing_subword_prefix", "@"), "4,1");
  EXPECT_EQ(LoadChanged("/model/vocab/ab", 9), "4,9");
  EXPECT_EQ(LoadChanged("/post_processor", json::parse(R"({"type": "BertProcessing",
            "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]})")),
            "4,4,6");
  // Found in the text as it is, or once it is normalized.
  json added = {{"id", 30}, {"content", "A "}, {"normalized", false}};
  EXPECT_EQ(LoadChanged("/added_tokens/1", added), "30,4,6");
  added["normalized"] = true;
  EXPECT_EQ(LoadChanged("/added_tokens/1", added), "30,4,6");
  added["content"] = "a";
  added["id"] = 4;
  EXPECT_EQ(LoadChanged("/added_tokens/1", added), "4,4,1") << "what is left is a word of its own";
}

TEST_F(TokenizerFilesTest, WhatIsNotSupportedIsNamed) {
  struct {
    const char* pointer;
    json value;
    const char* message;
  } cases[] = {
      {"/model/type", "Word",
       "model.type: expected \"WordPiece\", \"WordLevel\", \"BPE\" or \"Unigram\", found \"Word\""},
      {"/model", nullptr,
       "model.type: expected \"WordPiece\", \"WordLevel\", \"BPE\" or \"Unigram\", found nothing"},
      {"/model/dropout", 0.1, "model.dropout: this field is not supported"},
      {"/model/unk_token", 7, "model.unk_token: expected a string, found 7"},
      {"/model/vocab", json::array(), "model.vocab: expected an object, found an array"},
      {"/model/vocab", json::object(), "the vocabulary is empty"},
      {"/model/vocab/a", -1, "model.vocab.a: expected an integer in 0..2147483647, found -1"},
      {"/model/vocab/a", 1e9, "model.vocab.a: expected an integer"},
      {"/model/vocab/a", 2147483648u, "found 2147483648"},
      {"/normalizer/type", "NFC", "normalizer.clean_text: this field is not supported"},
      {"/normalizer/type", "Magic",
       "normalizer.type: the normalizer 'Magic' is not supported; supported are"},
      {"/normalizer/nfkc", true, "normalizer.nfkc: this field is not supported"},
      {"/normalizer/lowercase", "yes", "normalizer.lowercase: expected true or false"},
      {"/pre_tokenizer/type", "UnicodeScripts",
       "pre_tokenizer.type: the pre-tokenizer 'UnicodeScripts' is"},
      {"/decoder/type", "Magic", "decoder.type: the decoder 'Magic' is not supported"},
      {"/post_processor/type", "Magic", "post_processor.type: the post-processor 'Magic' is not"},
      {"/post_processor/single/2", nullptr, "post_processor.single[2]: expected {\"Sequence\""},
      {"/post_processor/single/1/Sequence/id", "B",
       "post_processor.single[1].Sequence.id: expected \"A\""},
      {"/post_processor/pair/3/Sequence/type_id", -1,
       "pair[3].Sequence.type_id: expected an integer"},
      {"/post_processor/pair/4/SpecialToken/id", "?", "the token '?' is neither in special_tokens"},
      {"/added_tokens/0/lstrip", 1, "added_tokens[0].lstrip: expected true or false, found 1"},
      {"/added_tokens/0/id", 5, "added token '[CLS]' has the id 5, in the vocabulary it has 2"},
      {"/added_tokens", 3, "added_tokens: expected an array, found 3"},
      {"/colour", 3, "colour: this field is not supported"},
  };
  for (const auto& [pointer, value, message] : cases)
    EXPECT_THAT(LoadChanged(pointer, value),
                AllOf(HasSubstr(message), HasSubstr(directory_ + "/tokenizer.json")));
}

TEST_F(TokenizerFilesTest, Config) {
  Write("tokenizer.json", tokenizer_.dump());
  const std::pair<const char*, const char*> cases[] = {
      {R"({"do_basic_tokenize": false})", "do_basic_tokenize: false is not supported"},
      {R"({"never_split": ["x"]})", "never_split: words"},
      {R"({"do_lower_case": 1})", "tokenizer_config.json: do_lower_case: expected true or false"},
      {R"({"pad_token": "[HOLE]"})", "has no '[HOLE]', which stands for padding"},
      {R"({"cls_token": {"content": 4}})", "cls_token.content: expected a string"},
      {R"({"never_split": null, "pad_token": {"content": "a"}, "unk_token": null})", "4,4,1"},
      {"[]", "tokenizer_config.json: expected an object, found an array"},
      {"{", "tokenizer_config.json: malformed JSON"}};
  for (const auto& [config, expected] : cases) {
    Write("tokenizer_config.json", config);
    EXPECT_THAT(Load(), HasSubstr(expected)) << config;
  }
  // Added tokens are taken from here where vocab.txt is the vocabulary.
  std::filesystem::remove(directory_ + "/tokenizer.json");
  Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##b\n");
  Write("tokenizer_config.json", R"({"added_tokens_decoder": {"8": {"content": "A a"}}})");
  EXPECT_EQ(Load(), "8,1");
  Write("tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "A a"}}})");
  EXPECT_THAT(Load(), HasSubstr("added_tokens_decoder.x: the key is no token's id"));
}

TEST_F(TokenizerFilesTest, HostileJson) {
  Write("tokenizer.json", std::string(1 << 20, '['));
  EXPECT_THAT(Load(), HasSubstr("tokenizer.json: nested more than 32 levels"));
  Write("tokenizer.json", "\xFF");
  EXPECT_THAT(Load(), HasSubstr("tokenizer.json: malformed JSON"));
  // Whatever byte is damaged, loading ends in a tokenizer or in a message.
  const std::string image = tokenizer_.dump();
  for (size_t i = 0; i < image.size(); i += 5) {
    std::string damaged = image;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    Write("tokenizer.json", damaged);
    EXPECT_NE(Load(), "");
    Write("tokenizer.json", image.substr(0, i));
    EXPECT_THAT(Load(), HasSubstr("malformed JSON")) << i;
  }
}

}  // namespace
}  // namespace ashlar
