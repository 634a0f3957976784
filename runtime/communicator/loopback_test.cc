// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What happens to the others when a thread fails.
#include "runtime/communicator/loopback.h"

#include <functional>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

struct Outcome {
  std::vector<absl::Status> statuses;
  double seconds = 0;  // until the last rank that says how it ended
};

// Four ranks do all-reduces; rank 2 does `fault` in place of the third.
Outcome WithFault(const std::function<absl::Status(Communicator*, Collective)>& fault) {
  auto ends = MakeLoopback(4, std::chrono::milliseconds(300));
  const std::vector<int> group = {0, 1, 2, 3};
  Outcome outcome;
  outcome.statuses.resize(4);
  std::vector<std::thread> threads;
  const Clock::time_point begin = Clock::now();
  for (int rank = 0; rank < 4; ++rank)
    threads.emplace_back([&, rank, end = std::move(ends[rank])]() mutable {
      std::vector<float> values(100, 1.0f);
      absl::Status& status = outcome.statuses[rank];
      for (int step = 0; step < 5 && status.ok(); ++step) {
        Collective call;
        call.group = &group;
        call.input = call.output = values.data(), call.count = 100;
        call.where = "layers.3.mlp (model.py:7)";
        const bool other = rank == 2 && step == 2;
        status = other ? fault(end.get(), call) : end->Run(call);
      }
    });
  for (std::thread& thread : threads) thread.join();
  outcome.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return outcome;
}

TEST(Loopback, EndsWhenARankLeaves) {
  Outcome outcome =
      WithFault([](Communicator*, Collective) { return absl::InternalError("its own"); });
  for (int rank : {0, 1, 3})
    EXPECT_THAT(Message(outcome.statuses[rank]),
                HasSubstr("rank 2 has left before all_reduce of layers.3.mlp (model.py:7)"));
  EXPECT_LT(outcome.seconds, 0.3);  // nobody waits for the deadline
}

TEST(Loopback, EndsWhenARankStandsStill) {
  Outcome outcome = WithFault([](Communicator* end, Collective call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    return end->Run(call);  // too late: the run is over
  });
  for (int rank : {0, 1, 2, 3})
    EXPECT_THAT(
        Message(outcome.statuses[rank]),
        HasSubstr("rank 2 has not come to all_reduce of layers.3.mlp (model.py:7) for 0.3 s"));
  EXPECT_LT(outcome.seconds, 2);
}

TEST(Loopback, WaitsForARankThatShowsLife) {
  Outcome outcome = WithFault([](Communicator* end, Collective call) {
    for (int i = 0; i < 8; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      end->Tick();
    }
    return end->Run(call);
  });
  for (const absl::Status& status : outcome.statuses) EXPECT_EQ(status, absl::OkStatus());
}

TEST(Loopback, EndsWhenARankDoesSomethingElse) {
  Outcome outcome = WithFault([](Communicator* end, Collective call) {
    call.reduction = Reduction::kMax;
    call.where = "layers.4.norm";
    return end->Run(call);
  });
  for (const absl::Status& status : outcome.statuses)
    EXPECT_THAT(Message(status),
                AllOf(HasSubstr("rank 0 all_reduce sum of F32 x 100 of layers.3.mlp (model.py:7)"),
                      HasSubstr("rank 2 all_reduce max of F32 x 100 of layers.4.norm")));
  EXPECT_LT(outcome.seconds, 0.3);
}

TEST(Loopback, EndsForAllWithTheErrorOfOne) {
  Outcome outcome = WithFault([](Communicator* end, Collective) {
    end->Fail(absl::InternalError("rank 2: a kernel failed"));
    return absl::InternalError("rank 2: a kernel failed");
  });
  for (const absl::Status& status : outcome.statuses)
    EXPECT_THAT(Message(status), HasSubstr("a kernel failed"));
}

}  // namespace
}  // namespace ashlar
