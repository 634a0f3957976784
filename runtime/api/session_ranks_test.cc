// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tiny program on several ranks, which sum its logits at the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runtime/api/session_test_base.h"
#include "runtime/base/status.h"
#include "runtime/communicator/loopback.h"

namespace ashlar {
namespace {

using testing::Expected;
using testing::Floats;
using ::testing::HasSubstr;
using testing::kTinyK;
using testing::SomeX;

class SessionRanksTest : public testing::SessionTestBase {
 protected:
  SessionRanksTest() {
    fb::ProgramT& program = tiny_.program;
    auto axis = std::make_unique<fb::MeshAxisT>();
    axis->name = "tp";
    axis->size = 3;
    program.mesh.push_back(std::move(axis));
    fb::EntryT& entry = *program.entries[0];
    auto sum = std::make_unique<fb::CollectiveT>();
    sum->before = static_cast<uint32_t>(entry.launches.size());
    sum->cuts.emplace_back(1, 3);
    const fb::ValueT& logits = *entry.outputs[0];
    sum->input = testing::MakeOperand(fb::Space::Arena, logits.offset, logits.bytes);
    sum->output = testing::MakeOperand(fb::Space::Arena, logits.offset, logits.bytes);
    for (const auto& extent : logits.shape) {
      sum->input_shape.push_back(testing::MakeExtent(extent->dims, extent->scale));
      sum->output_shape.push_back(testing::MakeExtent(extent->dims, extent->scale));
    }
    sum->where = "logits.sum";
    entry.collectives.push_back(std::move(sum));
  }

  static std::vector<float> Tripled(std::vector<float> values) {
    for (float& value : values) value = value + value + value;
    return values;
  }
  // Three sessions, as three processes have, each on a thread.
  void OnRanks(const std::function<void(int rank, Session&)>& body) {
    auto program = LoadTiny();
    auto ends = MakeLoopback(3);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < 3; ++rank)
      threads.emplace_back([&, rank] {
        BindOptions bind;
        bind.rank = rank;
        SessionOptions options;
        options.threads = 1;
        options.communicator = std::move(ends[rank]);
        auto session = Session::Create(program, options, bind);
        ASSERT_EQ(session.status(), absl::OkStatus());
        body(rank, **session);
      });
    for (std::thread& thread : threads) thread.join();
  }

  std::vector<float> x_ = SomeX(6);
  std::vector<Tensor> inputs_ = {{"x", DType::kF32, {2, 3, kTinyK}, x_.data()}};
};

TEST_F(SessionRanksTest, SumsOverItsThreads) {
  auto session = MakeSession();
  std::vector<Tensor> outputs;
  for (int step = 0; step < 3; ++step) {
    ASSERT_EQ(session->Run("forward", inputs_, &outputs), absl::OkStatus());
    EXPECT_EQ(Floats(outputs[0]), Tripled(Expected(x_, {1, 1, 1, 1, 1, 1}, {0, 1, 2, 0, 1, 2})));
  }
}

TEST_F(SessionRanksTest, RefusesAStepOnAllRanksAndGoesOn) {
  auto session = MakeSession();
  std::vector<Tensor> outputs;
  EXPECT_THAT(Message(session->Run("forward", {}, &outputs)), HasSubstr("input 'x'"));
  EXPECT_EQ(session->Run("forward", inputs_, &outputs), absl::OkStatus());
}

TEST_F(SessionRanksTest, RunsWithTheCommunicatorOfTheCaller) {
  OnRanks([&](int rank, Session& session) {
    std::vector<Tensor> outputs;
    ASSERT_EQ(session.Run("forward", inputs_, &outputs), absl::OkStatus());
    EXPECT_EQ(Floats(outputs[0]), Tripled(Expected(x_, {1, 1, 1, 1, 1, 1}, {0, 1, 2, 0, 1, 2})));
    // One rank alone leaves out its input: it says so, the others that another did.
    absl::Status status =
        session.Run("forward", rank == 1 ? std::vector<Tensor>() : inputs_, &outputs);
    EXPECT_THAT(Message(status), HasSubstr(rank == 1 ? "input 'x'" : "another rank has refused"));
    EXPECT_EQ(session.Run("forward", inputs_, &outputs), absl::OkStatus());
  });
}

// Its collectives are alike, and nothing but the agreement would tell.
TEST_F(SessionRanksTest, RefusesDifferentStepsOnAllRanks) {
  OnRanks([&](int rank, Session& session) {
    std::vector<Tensor> outputs, inputs = inputs_;
    if (rank == 2) inputs[0].shape = {3, 2, kTinyK};  // as many elements
    EXPECT_THAT(Message(session.Run("forward", inputs, &outputs)),
                HasSubstr("ranks are about to make different steps"));
    std::vector<int64_t> value = {1, 2};
    std::vector<Tensor> step = {{"value", DType::kI64, {2}, value.data()}};
    EXPECT_THAT(Message(session.Run(rank ? "forward" : "step", rank ? inputs_ : step, &outputs)),
                HasSubstr("ranks are about to make different steps"));
    EXPECT_EQ(session.Run("forward", inputs_, &outputs), absl::OkStatus());
  });
}

TEST_F(SessionRanksTest, WantsTheOtherRanks) {
  BindOptions bind;
  bind.rank = 1;
  EXPECT_THAT(Message(Session::Create(LoadTiny(), SessionOptions(), bind).status()),
              HasSubstr("for 3 ranks, of which rank 1 alone is bound"));
  SessionOptions two;
  two.communicator = std::move(MakeLoopback(2)[1]);
  EXPECT_THAT(Message(Session::Create(LoadTiny(), two, bind).status()),
              HasSubstr("is for 3 ranks and bound for rank 1, found rank 1 of 2"));
  bind.rank = 3;
  EXPECT_THAT(Message(Session::Create(LoadTiny(), SessionOptions(), bind).status()),
              HasSubstr("rank 3 of a program for 3"));
}

// Two ranks, each with both stages of a pipeline, whose steps run in up to four microbatches.
class SessionStagesTest : public testing::SessionTestBase {
 protected:
  SessionStagesTest() {
    fb::ProgramT& program = tiny_.program;
    program.mesh.push_back(std::make_unique<fb::MeshAxisT>());
    program.mesh[0]->name = "dp";
    program.mesh[0]->size = 2;
    program.dims.push_back(testing::MakeDim("batch/dp", 2));
    program.dims[2]->minimum = 0;
    program.dims[2]->whole = testing::MakeExtent({0});
    program.dims[2]->cuts.emplace_back(1, 2);
    for (auto& entry : program.entries) entry->microbatches = 4;
    testing::CutIntoStages(program, /*places=*/1, /*chunks=*/2);
  }

  std::vector<int64_t> value_ = {1, 2, 3, 4};
  std::vector<Tensor> inputs_ = {{"value", DType::kI64, {4}, value_.data()}};
};

TEST_F(SessionStagesTest, RunBehindEachOther) {
  auto session = MakeSession();
  std::vector<Tensor> outputs;
  ASSERT_EQ(session->Run("step", inputs_, &outputs), absl::OkStatus());
  EXPECT_EQ(session->last_microbatches(), 4u);
  const int64_t* total = outputs[0].as<int64_t>();
  EXPECT_EQ(std::vector<int64_t>(total, total + 4), value_);
}

// The states of one stage have every sequence, those of the other a rank's half.
TEST_F(SessionStagesTest, RefuseToSplitAStepDifferently) {
  tiny_.program.stages[1]->entries[1]->limits[0]->rows = testing::MakeExtent({2});
  auto session = MakeSession();
  std::vector<Tensor> outputs;
  EXPECT_THAT(Message(session->Run("step", inputs_, &outputs)),
              HasSubstr("stages of one rank split entry 'step' into 4 and 2 microbatches"));
}

}  // namespace
}  // namespace ashlar
