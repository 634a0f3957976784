// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A session's state from outside: counters, sequences, and its file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/api/session_test_base.h"
#include "runtime/api/state_file.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/testing/checkpoint_builder.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;
using Numbers = std::vector<int64_t>;

class SessionStateTest : public testing::SessionTestBase {
 protected:
  void SetUp() override {
    SessionTestBase::SetUp();
    session_ = MakeSession();
    file_ = directory_ + "/state";
  }
  // The totals after adding these.
  static Numbers Step(Session& session, Numbers value) {
    std::vector<Tensor> outputs;
    const int64_t rows = static_cast<int64_t>(value.size());
    absl::Status status =
        session.Run("step", {{"value", DType::kI64, {rows}, value.data()}}, &outputs);
    EXPECT_TRUE(status.ok()) << status;
    if (!status.ok()) return {};
    return Numbers(outputs[0].as<int64_t>(), outputs[0].as<int64_t>() + rows);
  }

  std::unique_ptr<Session> session_;
  std::string file_;
};

TEST_F(SessionStateTest, CountersOfSequences) {
  EXPECT_EQ(session_->sequences(), 4);
  ASSERT_TRUE(session_->SetCounters("count", {3, 1}).ok());
  EXPECT_EQ(*session_->Counters("count"), (Numbers{3, 1, 0, 0}));
  EXPECT_EQ(CodeOf(session_->SetCounters("count", {1, 7})), ErrorCode::kBadCounter);
  EXPECT_EQ(CodeOf(session_->SetCounters("count", {0, 0, 0, 0, 0})), ErrorCode::kBadCounter);
  EXPECT_EQ(CodeOf(session_->Counters("none").status()), ErrorCode::kNoSuchState);
  EXPECT_EQ(*session_->Counters("count"), (Numbers{3, 1, 0, 0}));
}

TEST_F(SessionStateTest, CopiesSequences) {
  EXPECT_EQ(Step(*session_, {1, 10, 100}), (Numbers{1, 10, 100}));
  ASSERT_TRUE(session_->CopySequence(1, 3).ok());
  ASSERT_TRUE(session_->CopySequence(2, 0).ok());
  EXPECT_EQ(*session_->Counters("count"), (Numbers{1, 1, 1, 1}));
  EXPECT_EQ(Step(*session_, {0, 0, 0, 5}), (Numbers{100, 10, 100, 15}));
  for (auto [from, to] : {std::pair<int64_t, int64_t>{-1, 0}, {0, 4}})
    EXPECT_EQ(session_->CopySequence(from, to).code(), absl::StatusCode::kOutOfRange);
}

TEST_F(SessionStateTest, IsSavedAndRestored) {
  Step(*session_, {1, 10, 100});
  ASSERT_TRUE(session_->SaveState(file_, "a note").ok());
  EXPECT_EQ(Step(*session_, {1, 1, 1}), (Numbers{2, 11, 101}));
  auto other = MakeSession(1);
  for (Session* session : {session_.get(), other.get()}) {
    auto note = session->LoadState(file_);
    ASSERT_TRUE(note.ok()) << note.status();
    EXPECT_EQ(*note, "a note");
    EXPECT_EQ(*session->Counters("count"), (Numbers{1, 1, 1, 0}));
    EXPECT_EQ(Step(*session, {0, 0, 0}), (Numbers{1, 10, 100}));
  }
  // Nothing is left of what was there before.
  session_->Reset();
  ASSERT_TRUE(session_->SaveState(file_).ok());
  ASSERT_TRUE(other->LoadState(file_).ok());
  EXPECT_EQ(Step(*other, {3}), (Numbers{3}));
}

TEST_F(SessionStateTest, AFileThatIsDamagedIsAnErrorAndChangesNothing) {
  Step(*session_, {1, 10, 100});
  ASSERT_TRUE(session_->SaveState(file_, "note").ok());
  const std::string good = *ReadFile(file_, 1 << 24);
  Step(*session_, {1, 1, 1});
  auto refuses = [&](const std::string& bytes, const char* why) {
    ASSERT_TRUE(WriteFile(file_, bytes).ok());
    absl::Status status = session_->LoadState(file_).status();
    EXPECT_EQ(CodeOf(status), ErrorCode::kBadStateFile) << status;
    EXPECT_THAT(Message(status), HasSubstr(file_));
    EXPECT_THAT(Message(status), HasSubstr(why));
  };
  std::string bytes;
  for (size_t at = 0; at < good.size(); at += at < 200 ? 1 : 997) {
    bytes = good;
    bytes[at] ^= 0x10;
    refuses(bytes, "");
  }
  refuses(good.substr(0, good.size() - 1), "cut");
  refuses(good + "x", "expected");
  refuses(good.substr(0, 20), "no saved session");
  refuses("", "no saved session");
  EXPECT_EQ(session_->LoadState(file_ + "-none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Step(*session_, {0, 0, 0}), (Numbers{2, 11, 101}));
  EXPECT_FALSE(session_->SaveState(directory_ + "/none/state").ok());
}

TEST_F(SessionStateTest, AFileOfOthersIsRefused) {
  ASSERT_TRUE(session_->SaveState(file_).ok());
  auto refuses = [&](Session& session) {
    absl::Status status = session.LoadState(file_).status();
    EXPECT_EQ(CodeOf(status), ErrorCode::kBadStateFile);
    EXPECT_THAT(Message(status), HasSubstr("another program, or with other weights"));
  };
  tiny_.program.producer = "another";
  refuses(*MakeSession());
  tiny_.program.producer = "test";
  EXPECT_TRUE(MakeSession()->LoadState(file_).ok());
  // The same headers, other weights.
  std::string checkpoint = testing::TinyCheckpoint();
  checkpoint.back() ^= 0x01;
  ASSERT_TRUE(WriteFile(directory_ + "/model.safetensors", checkpoint).ok());
  refuses(*MakeSession());
}

TEST_F(SessionStateTest, CountersBeyondTheirLimitsAreRefused) {
  tiny_.program.entries[1]->limits[0]->limit = 100;
  ASSERT_TRUE(MakeSession()->SetCounters("count", {50}).ok());
  auto generous = MakeSession();
  ASSERT_TRUE(generous->SetCounters("count", {50}).ok());
  ASSERT_TRUE(generous->SaveState(file_).ok());
  EXPECT_EQ(*generous->LoadState(file_), "");
  // Whoever makes a file of his own for this program still cannot go beyond.
  std::string state(96, '\0');
  state[64] = 101;
  std::string bytes = *ReadFile(file_, 1 << 24);
  uint64_t identity;
  std::memcpy(&identity, bytes.data() + 16, sizeof(identity));
  ASSERT_TRUE(WriteStateFile(file_, identity, "", {state}).ok());
  absl::Status status = generous->LoadState(file_).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kBadCounter);
  EXPECT_THAT(Message(status), HasSubstr("'count' cannot be 101"));
}

TEST_F(SessionStateTest, BlocksOfZerosTakeNoRoom) {
  std::string state((1 << 20) + 100, '\0');
  state[300000] = 1;
  state.back() = 2;
  ASSERT_TRUE(WriteStateFile(file_, 5, "n", {state}).ok());
  EXPECT_LT(ReadFile(file_, 1 << 24)->size(), size_t{140000});
  auto file = StateFile::Open(file_, 5, {state.size()});
  ASSERT_TRUE(file.ok()) << file.status();
  std::string back(state.size(), 'x');
  file->Read(0, back.size(), back.data());
  EXPECT_EQ(back, state);
  file->Read(299990, 20, back.data());
  EXPECT_EQ(back.substr(0, 20), state.substr(299990, 20));
}

TEST_F(SessionStateTest, AFileHasTheStatesOfSeveralRanks) {
  std::vector<std::string> states(4, std::string((64 << 10) + 100, '\0'));
  states[1].resize(8);  // a stage with little to keep, and one with nothing
  states[2].clear();
  states[0][5] = 1;
  states[1].back() = 2;
  states[3].back() = 3;
  std::vector<uint64_t> bytes;
  for (const std::string& state : states) bytes.push_back(state.size());
  ASSERT_TRUE(WriteStateFile(file_, 5, "", {states.begin(), states.end()}).ok());
  auto file = StateFile::Open(file_, 5, bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  for (size_t i = 0; i < states.size(); ++i) {
    std::string back(states[i].size(), 'x');
    file->Read(0, back.size(), back.data(), i);
    EXPECT_EQ(back, states[i]) << i;
  }
  bytes.pop_back();
  EXPECT_EQ(CodeOf(StateFile::Open(file_, 5, bytes).status()), ErrorCode::kBadStateFile);
}

}  // namespace
}  // namespace ashlar
