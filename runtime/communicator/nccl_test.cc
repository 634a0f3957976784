// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How runs through NCCL end: on the fake driver and the fake NCCL, ranks being threads.
#include "runtime/communicator/nccl.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/status.h"
#include "runtime/communicator/loopback.h"
#include "runtime/communicator/testing/nccl_ranks.h"

namespace ashlar {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr int kRanks = 3;
constexpr auto kDeadline = std::chrono::milliseconds(300);
using Clock = std::chrono::steady_clock;

class NcclTest : public ::testing::Test {
 protected:
  void SetUp() override { UseFakes(/*replaces=*/true); }
  void TearDown() override {
    for (const char* name : {"FAKE_NCCL_FAIL", "FAKE_NCCL_HANG"}) unsetenv(name);
  }

  // What each rank says of `body`, all of which end in time.
  std::vector<std::string> OnRanks(const std::function<absl::Status(NcclRank&)>& body) {
    const Clock::time_point begin = Clock::now();
    std::vector<std::string> messages(kRanks);
    std::vector<std::thread> threads;
    auto ends = MakeLoopback(kRanks, kDeadline);
    for (int r = 0; r < kRanks; ++r)
      threads.emplace_back([&, r] {
        NcclRank rank(std::move(ends[r]));
        absl::Status status = rank.status();
        if (status.ok()) status = body(rank);
        messages[r] = Message(status);
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
    return messages;
  }

  absl::Status AllReduce(NcclRank& rank, std::string_view where = "layers.3",
                         Reduction reduction = Reduction::kSum) {
    static const std::vector<int> everyone = {0, 1, 2};
    Collective call;
    call.group = &everyone;
    call.reduction = reduction;
    call.input = call.output = rank.Allocate(std::vector<char>(40));
    call.count = 10;
    call.where = where;
    return rank.communicator().Run(call);
  }
};

TEST_F(NcclTest, NamesTheRankThatDoesNotCome) {
  auto messages = OnRanks([&](NcclRank& rank) {
    absl::Status status = AllReduce(rank);
    if (status.ok() && rank.communicator().rank() == 1)
      std::this_thread::sleep_for(std::chrono::milliseconds(900));
    return status.ok() ? AllReduce(rank) : status;
  });
  EXPECT_THAT(messages, Each(HasSubstr("rank 1 has not come to all_reduce of layers.3 for 0.3 s")));
}

TEST_F(NcclTest, NamesTheRankThatHasLeft) {
  auto messages = OnRanks([&](NcclRank& rank) {
    absl::Status status = AllReduce(rank);
    return status.ok() && rank.communicator().rank() != 1 ? AllReduce(rank) : status;
  });
  EXPECT_EQ(messages[1], "");
  for (int r : {0, 2})
    EXPECT_THAT(messages[r], HasSubstr("rank 1 has left before all_reduce of layers.3"));
}

TEST_F(NcclTest, NamesBothPlacesOfDifferentCalls) {
  auto messages = OnRanks([&](NcclRank& rank) {
    const bool differs = rank.communicator().rank() == 2;
    return AllReduce(rank, differs ? "layers.4" : "layers.3",
                     differs ? Reduction::kMax : Reduction::kSum);
  });
  EXPECT_THAT(messages, Each(HasSubstr("ranks issue different collectives: rank 0 all_reduce sum "
                                       "of F32 x 10 of layers.3, rank 2 all_reduce max")));
}

TEST_F(NcclTest, EndsWhatNcclDoesNotEnd) {
  std::atomic<int> arrived{0};
  std::atomic<bool> hangs{false};
  auto messages = OnRanks([&](NcclRank& rank) {
    absl::Status status = AllReduce(rank);
    if (++arrived == kRanks) {
      setenv("FAKE_NCCL_HANG", "1", 1);
      hangs = true;
    }
    while (!hangs) std::this_thread::yield();
    return status.ok() ? AllReduce(rank) : status;
  });
  EXPECT_THAT(messages, Each(HasSubstr("all_reduce of layers.3 is not over for 0.3 s on rank")));
}

TEST_F(NcclTest, PassesOnWhatNcclSays) {
  setenv("FAKE_NCCL_FAIL", "ncclAllReduce=5", 1);
  EXPECT_THAT(OnRanks([&](NcclRank& rank) { return AllReduce(rank); }),
              Each(HasSubstr("ncclAllReduce: fake error: as it was told")));
  setenv("FAKE_NCCL_FAIL", "ncclCommInitRankConfig=3", 1);
  EXPECT_THAT(OnRanks([&](NcclRank& rank) { return AllReduce(rank); }),
              Each(HasSubstr("ncclCommInitRankConfig of 3 ranks: fake error")));
  setenv("FAKE_NCCL_FAIL", "ncclCommGetAsyncError=6", 1);
  EXPECT_THAT(OnRanks([&](NcclRank& rank) { return AllReduce(rank); }),
              Each(HasSubstr("remote process exited or there was a network error")));
}

// The error of one rank, which has no NCCL, ends the others before they wait for it.
TEST_F(NcclTest, SaysWhatToInstallOnAllRanks) {
  setenv("ASHLAR_NCCL", "/no/such/libnccl.so", 1);
  EXPECT_THAT(OnRanks([&](NcclRank& rank) { return AllReduce(rank); }),
              Each(HasSubstr("no NCCL (/no/such/libnccl.so): install it")));
}

TEST_F(NcclTest, GivesItsErrorForEver) {
  auto messages = OnRanks([&](NcclRank& rank) {
    absl::Status status = AllReduce(rank);
    if (!status.ok()) return status;
    rank.communicator().Fail(absl::InternalError("the device has failed"));
    EXPECT_THAT(Message(AllReduce(rank)), HasSubstr("the device has failed"));
    return AllReduce(rank);
  });
  EXPECT_THAT(messages, Each(HasSubstr("the device has failed")));
}

}  // namespace
}  // namespace ashlar
