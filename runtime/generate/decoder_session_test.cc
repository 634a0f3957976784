// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/generate/decoder_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "runtime/base/status.h"
#include "runtime/testing/tiny_decoder.h"

namespace ashlar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The tiny decoder: (3 * id + n) % 50 follows id, with n tokens in the cache before the step.
class DecoderSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "ashlar_decoder_session_" + std::to_string(getpid());
    ASSERT_TRUE(testing::TinyDecoder().Write(path_).ok());
    auto program = Program::Load(path_);
    ASSERT_TRUE(program.ok()) << program.status();
    auto session = Session::Create(*std::move(program), {});
    ASSERT_TRUE(session.ok()) << session.status();
    auto made = DecoderSession::Create(*std::move(session));
    ASSERT_TRUE(made.ok()) << made.status();
    decoder_ = std::make_unique<DecoderSession>(*std::move(made));
  }
  void TearDown() override { std::filesystem::remove(path_); }

  int64_t Likeliest(const float* logits) const {
    return std::max_element(logits, logits + decoder_->vocabulary()) - logits;
  }

  std::string path_;
  std::unique_ptr<DecoderSession> decoder_;
  std::vector<const float*> logits_;
};

TEST_F(DecoderSessionTest, OnlyWhatIsNewIsComputed) {
  ASSERT_TRUE(decoder_->Prefill({{4, 5, 6}}, {}, &logits_).ok());
  EXPECT_EQ(Likeliest(logits_[0]), 18);
  ASSERT_TRUE(decoder_->Decode({18}, {}, &logits_).ok());
  EXPECT_EQ(Likeliest(logits_[0]), 54 + 3 - 50);
  EXPECT_THAT(decoder_->tokens(), ElementsAre(ElementsAre(4, 5, 6, 18)));
  // 4, 5, 6 and 18 are in the cache; the last token is computed in any case.
  ASSERT_TRUE(decoder_->Prefill({{4, 5, 6, 18, 2}}, {}, &logits_).ok());
  EXPECT_EQ(Likeliest(logits_[0]), 6 + 4);
  ASSERT_TRUE(decoder_->Prefill({{4, 5}}, {}, &logits_).ok());
  EXPECT_EQ(Likeliest(logits_[0]), 15 + 1);
  ASSERT_TRUE(decoder_->Prefill({{7, 5}}, {}, &logits_).ok());
  EXPECT_EQ(Likeliest(logits_[0]), 15);
}

TEST_F(DecoderSessionTest, SequencesThatThereAreNotAreErrors) {
  ASSERT_TRUE(decoder_->Prefill({{4, 5, 6}}, {}, &logits_).ok());
  EXPECT_THAT(Message(decoder_->Decode({1, 2}, {}, &logits_)),
              HasSubstr("2 tokens for 1 sequences"));
  EXPECT_THAT(Message(decoder_->Copy(1, 0)), HasSubstr("sequence 1 cannot be copied"));
  EXPECT_THAT(Message(decoder_->Copy(-1, 0)), HasSubstr("sequence -1 cannot be copied"));
  // Nothing has happened.
  ASSERT_TRUE(decoder_->Decode({18}, {}, &logits_).ok());
  EXPECT_EQ(Likeliest(logits_[0]), 54 + 3 - 50);
  EXPECT_THAT(Message(decoder_->Prefill({{}}, {}, &logits_)), HasSubstr("prompt 0 has no tokens"));
  EXPECT_THAT(Message(decoder_->Prefill({{1, 2}, {1}}, {}, &logits_)), HasSubstr("2 prompts"));
  EXPECT_THAT(Message(decoder_->Prefill({std::vector<int64_t>(25, 1)}, {}, &logits_)),
              HasSubstr("25 tokens, the context is 24"));
}

}  // namespace
}  // namespace ashlar
