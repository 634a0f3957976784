// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Collectives made of messages, between threads over connected sockets.
#include "runtime/communicator/messages.h"

#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <map>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/status.h"
#include "runtime/communicator/message_tags.h"
#include "runtime/communicator/tcp_transport.h"

namespace ashlar {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Group = std::vector<int>;

using Ends = std::map<int, std::unique_ptr<Communicator>>;

// The ends of some of `size` ranks, each connected to each; the others have left.
Ends Connect(int size, const Group& ranks, milliseconds deadline = kRankDeadline) {
  std::map<int, std::vector<int>> sockets;
  for (int rank : ranks) sockets[rank].assign(size, -1);
  for (int one : ranks)
    for (int other : ranks) {
      int pair[2];
      if (one >= other || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) continue;
      sockets[one][other] = pair[0], sockets[other][one] = pair[1];
    }
  Ends ends;
  for (int rank : ranks)
    ends[rank] = MakeMessages(std::make_unique<TcpTransport>(rank, sockets[rank]), deadline);
  return ends;
}

// Runs `body` on every end, which stay until all are done.
void OnEnds(Ends& ends, const std::function<void(Communicator&)>& body) {
  std::vector<std::thread> threads;
  for (auto& each : ends) threads.emplace_back([&body, end = each.second.get()] { body(*end); });
  for (std::thread& thread : threads) thread.join();
}

// A gather of as many elements of each rank: its own number, and that of the gather.
class Gather {
 public:
  Gather(int rank, const Group& group, int number, const char* where, int64_t each = 2000)
      : group_(group), number_(number), each_(each), counts_(group.size(), each) {
    input_.assign(each, rank * 100 + number);
    output_.assign(each * group.size(), -1);
    call_.kind = CollectiveKind::kAllGather;
    call_.dtype = DType::kI32;
    call_.group = &group_;
    call_.counts = &counts_;
    call_.input = input_.data(), call_.output = output_.data();
    call_.where = where;
  }
  Gather(const Gather&) = delete;
  const Collective& call() const { return call_; }

  bool IsRight() const {
    for (size_t i = 0; i < output_.size(); ++i)
      if (output_[i] != group_[i / each_] * 100 + number_) return false;
    return true;
  }

 private:
  Group group_;
  int number_;
  int64_t each_;
  std::vector<int64_t> counts_;
  std::vector<int32_t> input_, output_;
  Collective call_;
};

// A gather is under way while one of another group runs, which two of its ranks are in.
void ExpectGathersApart(const Group& large, const Group& small) {
  Ends ends = Connect(16, large);
  OnEnds(ends, [&](Communicator& end) {
    const bool in_both = PlaceOf(small, end.rank()) >= 0;
    Gather early(end.rank(), large, 1, "early"), late(end.rank(), small, 2, "late");
    for (int round = 0; round < 3; ++round) {
      auto ticket = end.Start(early.call());
      ASSERT_EQ(ticket.status(), absl::OkStatus());
      if (in_both) ASSERT_EQ(end.Run(late.call()), absl::OkStatus());
      ASSERT_EQ(end.Wait(*ticket), absl::OkStatus());
      EXPECT_TRUE(early.IsRight()) << "rank " << end.rank();
      EXPECT_TRUE(!in_both || late.IsRight()) << "rank " << end.rank();
    }
  });
}

TEST(Messages, OfGroupsThatShareRanksStayApart) {
  ExpectGathersApart({3, 7, 11, 15}, {3, 7});  // of a mesh 2x2x4
  ExpectGathersApart({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {0, 1, 8, 9});
}

// Two orders of six ranks whose calls have one tag.
std::pair<Group, Group> GroupsOfOneTag() {
  std::map<int, Group> seen;
  Group group = {0, 1, 2, 3, 4, 5};
  do {
    auto [known, is_new] = seen.emplace(TagGroupOf(group, /*sender=*/-1), group);
    if (!is_new) return {known->second, group};
  } while (std::next_permutation(group.begin(), group.end()));
  return {};
}

TEST(Messages, OfOneTagAreNotUnderWayAtOnce) {
  const auto [one, other] = GroupsOfOneTag();
  ASSERT_EQ(one.size(), 6u);
  Ends ends = Connect(6, one);
  OnEnds(ends, [&, one = one, other = other](Communicator& end) {
    Gather first(end.rank(), one, 1, "first"), second(end.rank(), other, 2, "second");
    // One behind the other they are right.
    ASSERT_EQ(end.Run(first.call()), absl::OkStatus());
    ASSERT_EQ(end.Run(second.call()), absl::OkStatus());
    EXPECT_TRUE(first.IsRight() && second.IsRight());
    ASSERT_EQ(end.Start(first.call()).status(), absl::OkStatus());
    const std::string error = Message(end.Run(second.call()));
    EXPECT_THAT(error, StartsWith(StrCat("rank ", end.rank(), " cannot tell messages of rank ")));
    EXPECT_THAT(error, HasSubstr(" of second and of all_gather among ranks 0, "));
    EXPECT_THAT(error, HasSubstr(" of first, which is under way"));
  });
}

// One rank begins with the first, the others with the second: its headers say so.
TEST(Messages, OfOneTagAreNotMixedUp) {
  const auto [one, other] = GroupsOfOneTag();
  Ends ends = Connect(6, one);
  OnEnds(ends, [&, one = one, other = other](Communicator& end) {
    const bool is_first = end.rank() == 0;
    Gather call(end.rank(), is_first ? one : other, 1, is_first ? "first" : "second");
    const std::string error = Message(end.Run(call.call()));
    EXPECT_THAT(error, StartsWith(StrCat("rank ", end.rank(), " issues all_gather among ranks ")));
    EXPECT_THAT(error,
                HasSubstr("a call of another group with the same tag: all_gather of I32 of "));
    EXPECT_THAT(error, HasSubstr(is_first ? "of second" : "of first"));
  });
}

// A message of many elements between ranks 0 and 1, more than sockets hold.
constexpr int64_t kLarge = 1 << 20;
class Large {
 public:
  Large(CollectiveKind kind, int sender, int32_t value) : values_(kLarge, value) {
    call_.kind = kind;
    call_.dtype = DType::kI32;
    call_.group = &group_;
    call_.peer = kind == CollectiveKind::kSend ? 1 - sender : sender;
    call_.input = call_.output = values_.data();
    call_.count = kLarge;
  }
  Large(const Large&) = delete;
  const Collective& call() const { return call_; }
  void Fill(int32_t value) { std::fill(values_.begin(), values_.end(), value); }
  int64_t Count(int32_t value) const { return std::count(values_.begin(), values_.end(), value); }

 private:
  Group group_ = {0, 1};
  std::vector<int32_t> values_;
  Collective call_;
};

// Rank 1 is late in the middle of a message each way. Rank 0 says so and has its memory back: what
// comes late is not written there, and what goes is not read there.
TEST(Messages, LeaveMemoryAloneAfterAnError) {
  Large out0(CollectiveKind::kSend, 0, 1), in0(CollectiveKind::kRecv, 1, 0);
  Large out1(CollectiveKind::kSend, 1, 2), in1(CollectiveKind::kRecv, 0, 0);
  Ends ends = Connect(2, {0, 1}, milliseconds(300));
  auto sent1 = ends[1]->Start(out1.call());
  auto sent0 = ends[0]->Start(out0.call());
  ASSERT_TRUE(sent0.ok() && sent1.ok());
  EXPECT_THAT(Message(ends[0]->Run(in0.call())), StartsWith("rank 1 has not come to recv"));
  EXPECT_GT(in0.Count(2), 0);  // some of it has come
  in0.Fill(7), out0.Fill(8);
  std::thread late([&] {
    (void)ends[1]->Run(in1.call());
    (void)ends[1]->Wait(*sent1);
  });
  for (int i = 0; i < 300; ++i) {  // a session that computes goes on giving signs of life
    std::this_thread::sleep_for(milliseconds(1));
    ends[0]->Tick();
  }
  EXPECT_THAT(Message(ends[0]->Wait(*sent0)), StartsWith("rank 1 has not come to recv"));
  ends[0].reset();  // which says its last words
  late.join();
  EXPECT_EQ(in0.Count(7), kLarge);
  EXPECT_EQ(in1.Count(8), 0);
  EXPECT_GT(in1.Count(1), 0);
}

// What rank 1 gets of a message that rank 0 has begun before `end` has ended it there, whose memory
// changes then.
void ExpectNoneOfTheChange(const std::function<void(std::unique_ptr<Communicator>&)>& end) {
  Large out0(CollectiveKind::kSend, 0, 1), in1(CollectiveKind::kRecv, 0, 0);
  Ends ends = Connect(2, {0, 1}, milliseconds(300));
  ASSERT_TRUE(ends[0]->Start(out0.call()).ok());
  end(ends[0]);
  out0.Fill(8);
  std::thread late([&] { (void)ends[1]->Run(in1.call()); });
  ends[0].reset();
  late.join();
  EXPECT_EQ(in1.Count(8), 0);
  EXPECT_GT(in1.Count(1), 0);
}

TEST(Messages, LeaveMemoryAloneAfterFail) {
  ExpectNoneOfTheChange(
      [](auto& communicator) { communicator->Fail(absl::InternalError("a kernel failed")); });
}

// A communicator that goes, while a call is under way that nobody waits for.
TEST(Messages, LeaveMemoryAloneAtTheEnd) {
  std::thread leaves;
  ExpectNoneOfTheChange([&](auto& communicator) {
    leaves = std::thread([gone = std::move(communicator)]() mutable { gone.reset(); });
    std::this_thread::sleep_for(milliseconds(100));  // it says its last words for half a second
  });
  leaves.join();
}

}  // namespace
}  // namespace ashlar
