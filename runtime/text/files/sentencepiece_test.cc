// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SentencePiece's files that are made here, byte by byte; families_test.cc has trained ones.
#include "runtime/text/files/sentencepiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/text/files/sentencepiece_proto.h"

namespace ashlar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Type = SentencePieceProto::Type;

std::string Bytes(int field, const std::string& bytes) {
  return StrCat(static_cast<char>(field << 3 | 2), static_cast<char>(bytes.size()), bytes);
}
std::string Number(int field, uint64_t number) {
  std::string wire;
  for (uint64_t key = static_cast<uint64_t>(field) << 3;; key >>= 7) {
    wire += static_cast<char>(key < 128 ? key : (key & 127) | 128);
    if (key < 128) break;
  }
  return wire + static_cast<char>(number);
}
std::string Piece(const std::string& text, float score, Type type) {
  char bits[4];
  std::memcpy(bits, &score, 4);
  return Bytes(
      1, Bytes(1, text) + "\x15" + std::string(bits, 4) + Number(3, static_cast<uint64_t>(type)));
}

class SentencePieceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "/ashlar_sentencepiece_" + std::to_string(getpid());
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    const char* texts[] = {"\u2581", "a", "b", "ab", "\u2581a"};
    pieces_ = Piece("<unk>", 0, Type::kUnknown) + Piece("<s>", 0, Type::kControl) +
              Piece("</s>", 0, Type::kControl);
    for (int i = 0; i < 5; ++i) pieces_ += Piece(texts[i], -1.0f - i, Type::kNormal);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFile(directory_ + "/" + name, bytes).ok());
  }
  // The ids of "ab", or the error.
  std::string Load(const std::string& model) {
    Write("tokenizer.model", model);
    auto tokenizer = Tokenizer::Load(directory_);
    if (!tokenizer.ok()) return Message(tokenizer.status());
    auto encoding = (*tokenizer)->Encode("ab");
    return encoding.ok() ? StrJoin(encoding->ids, ",") : Message(encoding.status());
  }
  std::string directory_, pieces_;
  const std::string bpe_ = Bytes(2, Number(3, 2)), unigram_ = Bytes(2, Number(3, 1));
};

TEST_F(SentencePieceTest, Algorithms) {
  EXPECT_EQ(Load(pieces_ + bpe_), "3,6") << "of both merges, that of the higher score";
  EXPECT_EQ(Load(pieces_ + unigram_), "3,6") << "-1 - 4, the other way -5 - 3";
  EXPECT_EQ(Load(pieces_), "3,6") << "unigram is the default";
  EXPECT_EQ(Load(pieces_ + unigram_ + Bytes(3, Number(3, 0))), "6") << "no blank before the text";
  EXPECT_EQ(Load(Bytes(9, "future field") + pieces_ + Bytes(2, Number(24, 1) + Number(3, 1))),
            "6,3")
      << "the blank goes behind";
}

TEST_F(SentencePieceTest, ByteFallback) {
  Write("tokenizer.model", pieces_ + Piece("<0xC3>", 0, Type::kByte) +
                               Piece("<0xA9>", 0, Type::kByte) +
                               Bytes(2, Number(3, 2) + Number(35, 1)));
  auto tokenizer = Tokenizer::Load(directory_);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("aéx")->ids, ElementsAre(7, 8, 9, 0));
  EXPECT_EQ(*(*tokenizer)->Decode({7, 8, 9, 6}), "aéab");
  EXPECT_THAT((*tokenizer)->Encode("<s>a")->ids.front(), 3) << "control tokens are no text";
}

TEST_F(SentencePieceTest, WhatClassesAdd) {
  Write("tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer"})");
  EXPECT_EQ(Load(pieces_ + bpe_), "1,3,6");
  Write("tokenizer_config.json",
        R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false, "add_eos_token": true})");
  EXPECT_EQ(Load(pieces_ + bpe_), "3,6,2");
  Write("tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer", "extra_ids": 2})");
  EXPECT_EQ(Load(pieces_), "3,6,2");
  auto t5 = Tokenizer::Load(directory_);
  EXPECT_THAT((*t5)->Encode("<extra_id_0>", "<extra_id_1>")->ids, ElementsAre(9, 2, 8, 2));
  Write("tokenizer_config.json", R"({"tokenizer_class": "AlbertTokenizer", "cls_token": "<s>",
                                     "sep_token": "</s>"})");
  EXPECT_EQ(Load(pieces_), "1,3,6,2");
  Write("tokenizer_config.json", R"({"tokenizer_class": "AlbertTokenizer"})");
  EXPECT_THAT(Load(pieces_), HasSubstr("has no '[CLS]', the cls_token of a AlbertTokenizer"));
  Write("tokenizer_config.json", R"({"tokenizer_class": "XLMRobertaTokenizer"})");
  EXPECT_THAT(Load(pieces_), HasSubstr("what a XLMRobertaTokenizer makes of this model"));
}

TEST_F(SentencePieceTest, Refuses) {
  const std::string path = directory_ + "/tokenizer.model: ";
  EXPECT_EQ(Load(""), path + "the vocabulary is empty");
  EXPECT_EQ(Load(Piece("a", 0, Type::kNormal)), path + "no piece stands for the unknown");
  EXPECT_THAT(Load(pieces_ + Piece("?", 0, Type::kUnknown)), HasSubstr("pieces 0 and 8 are both"));
  EXPECT_THAT(Load(pieces_ + Piece("x", 0, Type::kUnused)), HasSubstr("piece 8, 'x', is marked"));
  EXPECT_THAT(Load(pieces_ + Bytes(2, Number(3, 3))), HasSubstr("a model of words or characters"));
  EXPECT_THAT(Load(pieces_ + Bytes(2, Number(3, 9))),
              HasSubstr("a model of type 9, which is none"));
  EXPECT_THAT(Load(Piece("a", 0, static_cast<Type>(7))), HasSubstr("byte 12: a piece of type 7"));
  EXPECT_THAT(Load(Piece("\xFF", 0, Type::kNormal)),
              HasSubstr("a piece that is not UTF-8: '\\xff'"));
  EXPECT_THAT(Load(Piece("", 0, Type::kNormal)), HasSubstr("a piece without text"));
  EXPECT_THAT(Load(Piece("a", INFINITY, Type::kNormal)), HasSubstr("a score that is not a number"));
  EXPECT_THAT(Load("\x0A\x7F"), HasSubstr("byte 2: field 1 of 127 bytes, 0 are left"));
  EXPECT_THAT(Load("\x0B"), HasSubstr("byte 1: field 1 of wire type 3, which is none"));
  EXPECT_THAT(Load("\x08\x01"), HasSubstr("field 1 of wire type 0, expected 2"));
  EXPECT_THAT(Load(std::string(12, '\xFF')), HasSubstr("a number of more than 64 bits"));
  EXPECT_THAT(Load("\x0A"), HasSubstr("the file ends within a number"));
  EXPECT_THAT(Load(pieces_ + Bytes(3, Bytes(2, "abc"))), HasSubstr("a character map of 3 bytes"));
}

}  // namespace
}  // namespace ashlar
