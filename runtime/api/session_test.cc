// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Steps of the tiny program: numbers, defaults, extents, state, memory.
#include "runtime/api/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "runtime/api/session_test_base.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

using testing::Expected;
using testing::Floats;
using testing::kTinyK;
using testing::kTinyN;
using testing::SomeX;

class SessionTest : public testing::SessionTestBase {};

TEST_F(SessionTest, ComputesAtTheExtentsOfTheInputs) {
  auto session = MakeSession();
  for (auto [batch, seq] : {std::pair<int64_t, int64_t>{1, 1}, {4, 8}, {3, 5}, {1, 8}, {4, 1}}) {
    std::vector<float> x = SomeX(batch * seq);
    std::vector<int64_t> factor, position;
    for (int64_t r = 0; r < batch * seq; ++r)
      factor.push_back(r % 3), position.push_back(9 - r % 4);
    std::vector<Tensor> outputs;
    absl::Status status = session->Run("forward",
                                       {{"position", DType::kI64, {batch, seq}, position.data()},
                                        {"x", DType::kF32, {batch, seq, kTinyK}, x.data()},
                                        {"factor", DType::kI64, {batch, seq}, factor.data()}},
                                       &outputs);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(outputs.size(), 1u);
    EXPECT_EQ(outputs[0].name, "logits");
    EXPECT_EQ(outputs[0].shape, (std::vector<int64_t>{batch, seq, kTinyN}));
    EXPECT_EQ(Floats(outputs[0]), Expected(x, factor, position));
  }
}

TEST_F(SessionTest, FillsDefaults) {
  auto session = MakeSession();
  std::vector<float> x = SomeX(6);
  std::vector<Tensor> outputs;
  ASSERT_TRUE(
      session->Run("forward", {{"x", DType::kF32, {2, 3, kTinyK}, x.data()}}, &outputs).ok());
  EXPECT_EQ(Floats(outputs[0]), Expected(x, {1, 1, 1, 1, 1, 1}, {0, 1, 2, 0, 1, 2}));
}

TEST_F(SessionTest, ADefaultMayDependOnTheExtents) {
  tiny_.program.entries[0]->inputs[1]->default_value = testing::MakeExtent({1}, 2);  // 2 * seq
  auto session = MakeSession();
  std::vector<float> x = SomeX(3);
  std::vector<Tensor> outputs;
  ASSERT_TRUE(
      session->Run("forward", {{"x", DType::kF32, {1, 3, kTinyK}, x.data()}}, &outputs).ok());
  EXPECT_EQ(Floats(outputs[0]), Expected(x, {6, 6, 6}, {0, 1, 2}));
}

TEST_F(SessionTest, ConvertsInputs) {
  auto session = MakeSession();
  std::vector<float> x = SomeX(2);
  std::vector<double> wide(x.begin(), x.end());
  std::vector<int32_t> factor = {2, -1};
  std::vector<uint8_t> position = {7, 9};
  std::vector<Tensor> outputs;
  absl::Status status = session->Run("forward",
                                     {{"x", DType::kF64, {1, 2, kTinyK}, wide.data()},
                                      {"factor", DType::kI32, {1, 2}, factor.data()},
                                      {"position", DType::kU8, {1, 2}, position.data()}},
                                     &outputs);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Floats(outputs[0]), Expected(x, {2, -1}, {7, 9}));
}

TEST_F(SessionTest, TheSameBitsForEveryNumberOfThreads) {
  std::vector<float> x(32 * kTinyK);
  for (size_t i = 0; i < x.size(); ++i) x[i] = 1.0f / static_cast<float>(i + 3);
  std::vector<std::vector<float>> results;
  for (int threads : {1, 2, 4}) {
    auto session = MakeSession(threads);
    EXPECT_EQ(session->threads(), threads);
    std::vector<Tensor> outputs;
    ASSERT_TRUE(
        session->Run("forward", {{"x", DType::kF32, {4, 8, kTinyK}, x.data()}}, &outputs).ok());
    results.push_back(Floats(outputs[0]));
  }
  EXPECT_EQ(results[1], results[0]);
  EXPECT_EQ(results[2], results[0]);
}

TEST_F(SessionTest, KeepsStateUntilReset) {
  auto session = MakeSession();
  std::vector<int64_t> value = {1, 10, 100};
  std::vector<Tensor> outputs;
  auto step = [&] {
    return session->Run("step", {{"value", DType::kI64, {3}, value.data()}}, &outputs);
  };
  for (int64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(step().ok());
    EXPECT_EQ(outputs[0].as<int64_t>()[2], 100 * i);
    EXPECT_EQ(outputs[0].shape, std::vector<int64_t>{3});
  }
  // Another entry uses the same arena; state is not in it.
  std::vector<float> x = SomeX(32);
  std::vector<Tensor> logits;
  ASSERT_TRUE(
      session->Run("forward", {{"x", DType::kF32, {4, 8, kTinyK}, x.data()}}, &logits).ok());
  ASSERT_TRUE(step().ok());
  EXPECT_EQ(outputs[0].as<int64_t>()[1], 40);
  session->Reset();
  ASSERT_TRUE(step().ok());
  EXPECT_EQ(outputs[0].as<int64_t>()[1], 10);
}

TEST_F(SessionTest, ALimitStopsBeforeTheStep) {
  auto session = MakeSession();
  std::vector<int64_t> value = {5};
  std::vector<Tensor> outputs;
  auto step = [&] {
    return session->Run("step", {{"value", DType::kI64, {1}, value.data()}}, &outputs);
  };
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(step().ok());
  absl::Status status = step();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(Message(status), ::testing::HasSubstr("'count' 6 + 1, its limit is 6"));
  ASSERT_TRUE(session->SetCounter("count", 5).ok());
  ASSERT_TRUE(step().ok());
  EXPECT_EQ(outputs[0].as<int64_t>()[0], 35);  // the refused step has not added
  EXPECT_FALSE(session->SetCounter("counts", 5).ok());
  for (int64_t value : {int64_t{-1}, int64_t{7}, std::numeric_limits<int64_t>::min()})
    EXPECT_EQ(CodeOf(session->SetCounter("count", value)), ErrorCode::kBadCounter) << value;
  EXPECT_TRUE(session->SetCounter("total", 7).ok());  // has no limit
  EXPECT_FALSE(session->SetCounter("total", -7).ok());
}

TEST_F(SessionTest, TakesWhatWasPlannedToTheByte) {
  for (int threads : {1, 2, 3}) {
    auto program = BindTiny();
    uint64_t before = MemoryRegion::LiveBytes();
    SessionOptions options;
    options.threads = threads;
    auto session = Session::Create(program, options);
    ASSERT_TRUE(session.ok()) << session.status();
    MemoryUse planned = PlanMemory(program->program().metadata(), threads),
              taken = (*session)->memory();
    // From the program's own numbers: the largest arena, 20 bytes of scratch on 64-byte places, two
    // counters.
    EXPECT_EQ(planned.peak(), 9600u + 64u * threads + 96u);
    EXPECT_EQ(MemoryRegion::LiveBytes() - before, planned.peak());
    EXPECT_EQ(taken.peak(), planned.peak());
    EXPECT_EQ(taken.weights, program->program().metadata().weights_bytes);
    std::vector<float> x = SomeX(32);
    std::vector<Tensor> outputs;
    ASSERT_TRUE(
        (*session)->Run("forward", {{"x", DType::kF32, {4, 8, kTinyK}, x.data()}}, &outputs).ok());
    EXPECT_EQ(MemoryRegion::LiveBytes() - before, planned.peak());
  }
}

TEST_F(SessionTest, MeasuresLaunchesWhenAsked) {
  SessionOptions options;
  options.threads = 1;
  options.profile = true;
  auto session = Session::Create(LoadTiny(), options);
  ASSERT_TRUE(session.ok()) << session.status();
  std::vector<float> x = SomeX(1);
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(
        (*session)->Run("forward", {{"x", DType::kF32, {1, 1, kTinyK}, x.data()}}, nullptr).ok());
  ASSERT_EQ((*session)->times(0).size(), 2u);
  EXPECT_EQ((*session)->times(0)[1].steps, 3);
  EXPECT_GT((*session)->times(0)[1].min_us, 0);
  EXPECT_GE((*session)->times(0)[1].total_us, 3 * (*session)->times(0)[1].min_us);
  (*session)->ClearTimes();
  EXPECT_EQ((*session)->times(0)[1].steps, 0);
}

}  // namespace
}  // namespace ashlar
