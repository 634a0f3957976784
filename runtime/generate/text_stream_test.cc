// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/generate/text_stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "runtime/base/file.h"

namespace ashlar {
namespace {

// A vocabulary whose tokens join without blanks: letters of one word.
class TextStreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "text_stream_" + std::to_string(getpid()) + "_vocab.txt";
    std::string lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n";
    for (char c = 'a'; c <= 'z'; ++c) lines += std::string("##") + c + "\n";
    for (char c = 'a'; c <= 'z'; ++c) lines += std::string(1, c) + "\n";  // where a word begins
    ASSERT_TRUE(WriteFile(path_, lines).ok());
    auto tokenizer = Tokenizer::Load(path_);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = *std::move(tokenizer);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  struct Told {
    std::vector<std::string> pieces;
    std::string text;
    bool stopped;
  };
  Told Tell(const std::string& letters, const std::vector<std::string>& stops) {
    TextStream stream(*tokenizer_, stops);
    Told told;
    for (char c : letters) {
      auto piece = stream.Push(c - 'a' + (told.pieces.empty() ? 30 : 4));
      EXPECT_TRUE(piece.ok()) << piece.status();
      told.pieces.push_back(*piece);
      told.text += *piece;
      if (stream.stopped()) break;
    }
    told.text += *stream.Finish();
    told.stopped = stream.stopped();
    return told;
  }

  std::string path_;
  std::unique_ptr<const Tokenizer> tokenizer_;
};

TEST_F(TextStreamTest, EndsBeforeTheFirstStopString) {
  for (const char* all : {"xxabcdyy", "xxababcyy", "xxabcabcd"}) {
    Told told = Tell(all, {"abc", "cd"});
    EXPECT_TRUE(told.stopped) << all;
    EXPECT_EQ(told.text, std::string(all).substr(0, std::string(all).find("abc"))) << all;
  }
  Told told = Tell("xxabdyab", {"abc"});
  EXPECT_FALSE(told.stopped);
  EXPECT_EQ(told.text, "xxabdyab");  // the rest comes at the end
}

TEST_F(TextStreamTest, GivesNothingThatMayBeTakenBack) {
  Told told = Tell("xababcz", {"abc"});
  EXPECT_EQ(told.text, "xab");
  for (const std::string& piece : told.pieces) EXPECT_EQ(piece.find('c'), std::string::npos);
  // What cannot be the beginning of a stop string comes at once.
  EXPECT_EQ(Tell("xy", {"abc"}).pieces[0].size() + Tell("xy", {"abc"}).pieces[1].size(),
            Tell("xy", {}).pieces[0].size() + Tell("xy", {}).pieces[1].size());
}

TEST_F(TextStreamTest, WithoutStopStringsItIsTheDecoders) {
  Told told = Tell("hello", {});
  EXPECT_EQ(told.text, *tokenizer_->Decode({37, 8, 15, 15, 18}));
  EXPECT_FALSE(told.stopped);
}

}  // namespace
}  // namespace ashlar
