// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Steps in several microbatches: how a batch is split among ranks and parts, and the tiny program
// run so, against itself in one piece.
#include "runtime/api/microbatches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "runtime/api/session_test_base.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/program/cut.h"

namespace ashlar {
namespace {

using ::testing::ElementsAre;
using testing::Expected;
using testing::Floats;
using ::testing::HasSubstr;
using testing::kTinyK;
using testing::MakeExtent;
using testing::SomeX;

// An entry that takes and gives i64 [columns, batch], whose states the ranks of `cuts` share.
struct Shared {
  explicit Shared(std::vector<fb::Cut> cuts) {
    program.dims.push_back(testing::MakeDim("batch", 64));
    program.dims.push_back(testing::MakeDim("batch/dp", 64));
    program.dims[1]->whole = MakeExtent({0});
    program.dims[1]->cuts = std::move(cuts);
    entry.inputs.push_back(testing::MakeValue("x", fb::DType::I64, 0, 0));
    entry.outputs.push_back(testing::MakeValue("y", fb::DType::I64, 0, 0));
    for (auto* value : {entry.inputs[0].get(), entry.outputs[0].get()}) {
      value->shape.push_back(MakeExtent({}, 2));
      value->shape.push_back(MakeExtent({0}));
    }
    entry.limits.push_back(std::make_unique<fb::CounterLimitT>());
    entry.limits[0]->rows = MakeExtent({1});
  }
  fb::ProgramT program;
  fb::EntryT entry;
};

TEST(Microbatches, EveryRankKeepsItsSequences) {
  const std::vector<std::vector<fb::Cut>> meshes = {
      {}, {{1, 2}}, {{1, 3}}, {{2, 2}, {1, 2}}, {{3, 2}, {1, 3}}};
  for (const auto& cuts : meshes)
    for (int64_t rows = 1; rows <= 17; ++rows)
      for (uint32_t most : {2u, 3u, 5u, 64u}) {
        Shared shared(cuts);
        shared.entry.microbatches = most;
        std::vector<int64_t> x(2 * rows);
        std::iota(x.begin(), x.end(), 0);
        const std::vector<Tensor> whole = {{"x", DType::kI64, {2, rows}, x.data()}};
        const std::vector<int64_t> dims = {rows, 0};
        for (int rank = 0; rank < PartCount(cuts); ++rank) {
          Microbatches parts(shared.program, shared.entry, rank);
          const size_t count = parts.Split(dims);
          const CutRange held = GetPart(rows, cuts, rank);
          EXPECT_LE(count, most);
          EXPECT_LE(count, static_cast<size_t>(std::max<int64_t>(1, GetPart(rows, cuts, 0).size)));
          if (cuts.size() < 2)
            EXPECT_EQ(count, std::min<int64_t>(most, GetPart(rows, cuts, 0).size));
          if (count == 1) continue;
          std::vector<int64_t> y(2 * rows, -1);
          int64_t row = 0;
          for (size_t part = 0; part < count; ++part) {
            const Tensor& input = parts.Inputs(part, whole)[0];
            ASSERT_EQ(input.shape[0], 2);
            EXPECT_GE(input.shape[1], 1);
            // What the program gives this rank of the part are the rank's next sequences.
            EXPECT_EQ(parts.first_row(part), row);
            std::vector<int64_t> given;
            auto take = [&](int64_t begin, int64_t count) {
              given.insert(given.end(), x.begin() + begin, x.begin() + begin + count);
              return absl::OkStatus();
            };
            ASSERT_TRUE(parts.VisitRuns(part, 0, whole[0].shape, take).ok());
            ASSERT_EQ(given.size(), static_cast<size_t>(2 * input.shape[1]));
            const CutRange mine = GetPart(input.shape[1], cuts, rank);
            for (int64_t i = 0; i < mine.size; ++i)
              EXPECT_EQ(given[mine.begin + i], held.begin + row + i);
            row += mine.size;
            parts.Collect(part, 0, dims, reinterpret_cast<const char*>(given.data()),
                          reinterpret_cast<char*>(y.data()));
          }
          EXPECT_EQ(row, held.size);
          EXPECT_EQ(y, x);
        }
      }
}

class MicrobatchesTest : public testing::SessionTestBase {
 protected:
  MicrobatchesTest() {
    for (auto& entry : tiny_.program.entries) entry->microbatches = 3;
  }
};

TEST_F(MicrobatchesTest, GiveWhatOneStepGives) {
  auto session = MakeSession();
  for (int64_t batch : {4, 1, 3, 2}) {
    const std::vector<float> x = SomeX(batch * 2);
    std::vector<int64_t> factor(batch * 2), position(batch * 2);
    for (int64_t i = 0; i < batch * 2; ++i) factor[i] = i + 1, position[i] = i % 2;
    std::vector<Tensor> outputs;
    absl::Status status = session->Run("forward",
                                       {{"factor", DType::kI64, {batch, 2}, factor.data()},
                                        {"x", DType::kF32, {batch, 2, kTinyK}, x.data()}},
                                       &outputs);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(session->last_microbatches(), static_cast<size_t>(std::min<int64_t>(3, batch)));
    EXPECT_THAT(outputs[0].shape, ElementsAre(batch, 2, testing::kTinyN));
    EXPECT_EQ(Floats(outputs[0]), Expected(x, factor, position));
    EXPECT_TRUE(session->Owns(outputs[0].data));
  }
}

TEST_F(MicrobatchesTest, SequencesKeepTheirState) {
  auto session = MakeSession();
  auto step = [&](const std::vector<int64_t>& values) {
    std::vector<Tensor> outputs;
    absl::Status status = session->Run(
        "step", {{"value", DType::kI64, {static_cast<int64_t>(values.size())}, values.data()}},
        &outputs);
    EXPECT_TRUE(status.ok()) << status;
    const int64_t* total = status.ok() ? outputs[0].as<int64_t>() : nullptr;
    return total ? std::vector<int64_t>(total, total + values.size()) : std::vector<int64_t>();
  };
  EXPECT_THAT(step({1, 2, 3, 4}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(step({10, 20}), ElementsAre(11, 22));
  EXPECT_THAT(step({100, 200, 300}), ElementsAre(111, 222, 303));
  EXPECT_THAT(step({0, 0, 0, 1000}), ElementsAre(111, 222, 303, 1004));
}

TEST_F(MicrobatchesTest, WhatALaterOneRefusesLeavesAllAsItWas) {
  auto session = MakeSession();
  std::vector<Tensor> outputs;
  const std::vector<int64_t> one = {1, 1, 1, 1};
  ASSERT_TRUE(session->SetCounters("count", {0, 0, 0, 6}).ok());  // the last one's is full
  absl::Status status = session->Run("step", {{"value", DType::kI64, {4}, one.data()}}, &outputs);
  EXPECT_THAT(Message(status), HasSubstr("1 more would make 'count' 6 + 1, its limit is 6"));
  EXPECT_EQ(CodeOf(status), ErrorCode::kContextFull);
  ASSERT_TRUE(session->SetCounters("count", {0, 0, 0, 0}).ok());
  ASSERT_TRUE(session->Run("step", {{"value", DType::kI64, {4}, one.data()}}, &outputs).ok());
  EXPECT_EQ(outputs[0].as<int64_t>()[0], 1);

  const std::vector<float> x = SomeX(4);
  const std::vector<int64_t> position = {0, 0, 0, 11};
  status = session->Run("forward",
                        {{"x", DType::kF32, {4, 1, kTinyK}, x.data()},
                         {"position", DType::kI64, {4, 1}, position.data()}},
                        &outputs);
  EXPECT_THAT(Message(status), HasSubstr("input 'position'"));
}

}  // namespace
}  // namespace ashlar
