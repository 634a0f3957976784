// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `ashlar run --text` on the tiny program, whose integer inputs are given the names that a BERT's
// have: with x = 0, logits[b, s, 32] is bias[32] * input_ids[b, s] + 4 + the other input[b, s].
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "runtime/base/file.h"
#include "runtime/npy/npy.h"
#include "runtime/testing/tiny_program.h"
#include "tools/ashlar/command_test_base.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TextInputsTest : public ::testing::Test, protected testing::CommandTestBase {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "ashlar_text_inputs_" + std::to_string(getpid());
    std::filesystem::create_directories(directory_ + "/other");
    ASSERT_TRUE(WriteFile(directory_ + "/model.safetensors", testing::TinyCheckpoint()).ok());
    Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\nc\n##c\n");
    Write("other/vocab.txt", "[UNK]\n[CLS]\n[PAD]\n[SEP]\nb\na\n");
    artifact_ = directory_ + "/tiny.ashlar";
    Compile("input_ids", "token_type_ids");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFile(directory_ + "/" + name, bytes).ok());
  }
  void Compile(const std::string& factor, const std::string& position) {
    testing::TinyProgram tiny;
    tiny.program.weight_directory = directory_;
    tiny.program.entries[0]->inputs[1]->name = factor;
    tiny.program.entries[0]->inputs[2]->name = position;
    ASSERT_TRUE(tiny.Write(artifact_).ok());
  }

  // Runs the texts with x of zeros [batch, seq, 5]; column_ is column 32 of the logits.
  int Run(int64_t batch, int64_t seq, Arguments args) {
    std::vector<float> x(batch * seq * 5, 0.0f);
    EXPECT_TRUE(WriteNpy(directory_ + "/x.npy", DType::kF32, {batch, seq, 5}, x.data()).ok());
    Arguments words = {"run",          artifact_, "--input", "x=" + directory_ + "/x.npy",
                       "--output-dir", directory_};
    words.insert(words.end(), args.begin(), args.end());
    if (int code = Ashlar(words); code != kOk) return code;
    auto logits = ReadNpy(directory_ + "/logits.npy");
    EXPECT_EQ(logits->shape, (std::vector<int64_t>{batch, seq, testing::kTinyN}));
    column_.clear();
    for (int64_t i = 0; i < batch * seq; ++i)
      column_.push_back(
          reinterpret_cast<const float*>(logits->bytes.data())[i * testing::kTinyN + kColumn]);
    return kOk;
  }
  // What it must be: the second input has the types, or the mask.
  static std::vector<float> Expected(std::vector<int> ids, std::vector<int> others) {
    std::vector<float> result;
    for (size_t i = 0; i < ids.size(); ++i)
      result.push_back(testing::TinyBias()[kColumn] * ids[i] + others[i] + 4);
    return result;
  }

  static constexpr int kColumn = 32;
  std::string directory_, artifact_;
  std::vector<float> column_;
};

TEST_F(TextInputsTest, TextsBecomeABatch) {
  Compile("input_ids", "attention_mask");
  ASSERT_EQ(Run(2, 4, {"--text", "A bcc", "--text", "x"}), kFailed);  // [CLS] a b ##c ##c [SEP]
  ASSERT_EQ(Run(2, 6, {"--text", "A bcc", "--text", "x"}), kOk) << err_;
  EXPECT_EQ(column_,
            Expected({2, 4, 5, 7, 7, 3, 2, 1, 3, 0, 0, 0}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0}));
  EXPECT_EQ(err_, "");
}

TEST_F(TextInputsTest, PairsHaveTypes) {
  ASSERT_EQ(Run(1, 6, {"--text=a", "--text-pair=b c"}), kOk) << err_;
  EXPECT_EQ(column_, Expected({2, 4, 3, 5, 6, 3}, {0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(Run(1, 6, {"--text=a", "--text-pair=b", "--text-pair=c"}), kUsage);
  EXPECT_THAT(err_, HasSubstr("a --text-pair for each --text or for none, found 2 for 1"));
  EXPECT_EQ(Run(1, 6, {"--text-pair=b"}), kUsage);
}

TEST_F(TextInputsTest, AnotherVocabulary) {
  ASSERT_EQ(Run(1, 3, {"--text", "a", "--vocab", directory_ + "/other"}), kOk) << err_;
  EXPECT_EQ(column_, Expected({1, 5, 3}, {0, 0, 0}));
  EXPECT_EQ(Run(1, 3, {"--text", "a", "--vocab", directory_ + "/none"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("--vocab: "));
  std::filesystem::remove(directory_ + "/vocab.txt");
  EXPECT_EQ(Run(1, 3, {"--text", "a"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("--vocab DIR"));
  EXPECT_THAT(err_, HasSubstr(directory_ + ": expected a tokenizer.json or vocab.txt"));
  EXPECT_EQ(Run(1, 3, {"--vocab", directory_}), kUsage);
}

TEST_F(TextInputsTest, LongTextsAreCutWithAWarning) {
  Compile("input_ids", "attention_mask");
  ASSERT_EQ(Run(2, 8, {"--text", "b", "--text", "a b c a b c a"}), kOk) << err_;
  EXPECT_EQ(column_, Expected({2, 5, 3, 0, 0, 0, 0, 0, 2, 4, 5, 6, 4, 5, 6, 3},
                              {1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_THAT(err_, HasSubstr("warning: text 2 has 9 tokens"));
  EXPECT_THAT(err_, HasSubstr("compiled for at most 8: its end was cut off"));
  EXPECT_THAT(err_, Not(HasSubstr("text 1 has")));
}

TEST_F(TextInputsTest, WhatDoesNotFitIsAnError) {
  EXPECT_EQ(Run(5, 3, {"--text=a", "--text=a", "--text=a", "--text=a", "--text=a"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("5 texts, the artifact was compiled for batches of 1..4"));
  Compile("input_ids", "position");
  EXPECT_EQ(Run(2, 4, {"--text=a", "--text=a b"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("no attention_mask, so texts must be of one length"));
  Compile("ids", "attention_mask");
  EXPECT_EQ(Run(1, 3, {"--text=a"}), kFailed);
  EXPECT_THAT(err_, HasSubstr("entry 'forward' has no input_ids"));
}

}  // namespace
}  // namespace ashlar
