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

TEST(Loopback, GivesItsErrorForever) {
  auto ends = MakeLoopback(2);
  ends[1]->Fail(absl::InternalError("a kernel failed"));
  const std::vector<int> group = {0, 1};
  std::vector<std::thread> threads;
  for (auto& end : ends)
    threads.emplace_back([&group, &end] {
      for (int step = 0; step < 50; ++step) {
        float value = 1;
        Collective call;
        call.group = &group;
        call.input = call.output = &value, call.count = 1;
        EXPECT_THAT(Message(end->Run(call)), HasSubstr("a kernel failed"));
      }
    });
  for (std::thread& thread : threads) thread.join();
}

// Places 1 and 2 differ in what passes between them, and in nothing that place 0 sees.
TEST(Loopback, ComparesTheCountsOfAllPairs) {
  auto ends = MakeLoopback(3);
  const std::vector<int> group = {0, 1, 2};
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 3; ++rank)
    threads.emplace_back([&, rank] {
      std::vector<int64_t> sent(3, 1), got(3, 1);
      if (rank == 2) got[1] = 2;
      std::vector<float> in(8), out(8);
      Collective call;
      call.kind = CollectiveKind::kAllToAll;
      call.group = &group;
      call.input = in.data(), call.output = out.data();
      call.counts = &sent, call.recv_counts = &got;
      EXPECT_THAT(Message(ends[rank]->Run(call)), HasSubstr("rank 1 all_to_all"));
    });
  for (std::thread& thread : threads) thread.join();
}

// What every rank of a chain, each of which waits for the one before it, has in the end; the first
// one does `work` before it sends.
std::vector<absl::Status> ThroughAChain(const std::function<void(Communicator*)>& work) {
  auto ends = MakeLoopback(4, std::chrono::milliseconds(300));
  std::vector<absl::Status> statuses(4);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 4; ++rank)
    threads.emplace_back([&, rank, end = std::move(ends[rank])] {
      float value = 1;
      if (rank == 0) work(end.get());
      for (auto kind : {CollectiveKind::kRecv, CollectiveKind::kSend}) {
        const bool sends = kind == CollectiveKind::kSend;
        if (rank == (sends ? 3 : 0) || !statuses[rank].ok()) continue;
        std::vector<int> pair = {rank - !sends, rank + sends};
        Collective call;
        call.kind = kind;
        call.group = &pair;
        call.peer = sends, call.count = 1;
        call.input = call.output = &value;
        call.where = "layers.3";
        statuses[rank] = end->Run(call);
      }
    });
  for (std::thread& thread : threads) thread.join();
  return statuses;
}

TEST(Loopback, WaitsForThoseThatWaitForARankThatShowsLife) {
  auto statuses = ThroughAChain([](Communicator* end) {
    for (int i = 0; i < 8; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      end->Tick();
    }
  });
  for (const absl::Status& status : statuses) EXPECT_EQ(status, absl::OkStatus());
}

TEST(Loopback, NamesTheRankForWhichTheOthersWait) {
  auto statuses = ThroughAChain(
      [](Communicator*) { std::this_thread::sleep_for(std::chrono::milliseconds(900)); });
  for (const absl::Status& status : statuses)
    EXPECT_THAT(Message(status), HasSubstr("rank 0 has not come to recv of layers.3 for 0.3 s"));
}

}  // namespace
}  // namespace ashlar
