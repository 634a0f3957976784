// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What every communicator is held to: those in host memory (communicator_test) and NCCL on devices
// (nccl_communicator_test). Alone it runs on threads, under mpirun on processes.
#include "runtime/communicator/communicator.h"

#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/status.h"
#include "runtime/communicator/testing/ranks.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

std::vector<int> Everyone(int count) {
  std::vector<int> group(count);
  std::iota(group.begin(), group.end(), 0);
  return group;
}

int64_t Total(const std::vector<int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

std::vector<char> ToBytes(DType dtype, const std::vector<int64_t>& values) {
  std::vector<char> bytes(values.size() * DTypeSize(dtype) + 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const double real = static_cast<double>(values[i]);
    const void* source = IsInteger(dtype) ? static_cast<const void*>(&values[i]) : &real;
    EXPECT_TRUE(ConvertElements(IsInteger(dtype) ? DType::kI64 : DType::kF64, source, dtype,
                                bytes.data() + i * DTypeSize(dtype), 1)
                    .ok());
  }
  return bytes;
}

// Elements of a type as small whole numbers, which every type holds.
class Elements {
 public:
  Elements(DType dtype, int64_t count) : Elements(dtype, std::vector<int64_t>(count)) {}
  Elements(DType dtype, const std::vector<int64_t>& values)
      : dtype_(dtype), count_(values.size()), memory_(ToBytes(dtype, values)) {}
  void* data() { return memory_.data(); }

  std::vector<int64_t> values() const {
    const std::vector<char> bytes = memory_.Read();
    std::vector<int64_t> values(count_);
    std::vector<float> floats(count_);
    if (IsInteger(dtype_)) {
      (void)ConvertElements(dtype_, bytes.data(), DType::kI64, values.data(), count_);
      return values;
    }
    ToFloats(dtype_, bytes.data(), count_, floats.data());
    for (size_t i = 0; i < count_; ++i) values[i] = static_cast<int64_t>(floats[i]);
    return values;
  }

 private:
  DType dtype_;
  size_t count_;
  RankMemory memory_;
};

int64_t ValueOf(int rank, int64_t i) { return (rank * 7 + i * 3) % 11; }

std::vector<int64_t> ValuesOf(int rank, int64_t count) {
  std::vector<int64_t> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = ValueOf(rank, i);
  return values;
}

class Conformance : public testing::TestWithParam<DType> {
 protected:
  Collective Make(CollectiveKind kind, const std::vector<int>& group) {
    Collective call;
    call.kind = kind;
    call.dtype = GetParam();
    call.group = &group;
    call.where = "test";
    return call;
  }
};

std::vector<int64_t> Combined(const std::vector<int>& group, int64_t count, Reduction reduction) {
  std::vector<int64_t> result = ValuesOf(group[0], count);
  for (size_t p = 1; p < group.size(); ++p)
    for (int64_t i = 0; i < count; ++i) {
      int64_t value = ValueOf(group[p], i);
      result[i] = reduction == Reduction::kSum   ? result[i] + value
                  : reduction == Reduction::kMax ? std::max(result[i], value)
                                                 : std::min(result[i], value);
    }
  return result;
}

TEST_P(Conformance, AllReduces) {
  for (int n : RankCounts())
    OnRanks(n, [&](Communicator& ranks) {
      std::vector<int> group = Everyone(n);
      for (Reduction reduction : {Reduction::kSum, Reduction::kMax, Reduction::kMin})
        for (int64_t count : {0, 1, 3, 64, 1000}) {
          Elements in(GetParam(), ValuesOf(ranks.rank(), count)), out(GetParam(), count);
          Collective call = Make(CollectiveKind::kAllReduce, group);
          call.reduction = reduction;
          call.input = in.data(), call.output = out.data(), call.count = count;
          ASSERT_EQ(ranks.Run(call), absl::OkStatus());
          EXPECT_EQ(out.values(), Combined(group, count, reduction));
          call.output = in.data();  // in place
          ASSERT_EQ(ranks.Run(call), absl::OkStatus());
          EXPECT_EQ(in.values(), out.values());
        }
    });
}

// Blocks of different sizes, empty ones among them.
TEST_P(Conformance, ReduceScattersAndGathersUnevenBlocks) {
  for (int n : RankCounts())
    OnRanks(n, [&](Communicator& ranks) {
      std::vector<int> group = Everyone(n);
      std::vector<int64_t> counts(n);
      for (int p = 0; p < n; ++p) counts[p] = p * 5 % 3 * 7;
      int64_t total = Total(counts), mine = counts[ranks.rank()];
      int64_t begin = std::accumulate(counts.begin(), counts.begin() + ranks.rank(), int64_t{0});
      std::vector<int64_t> sum = Combined(group, total, Reduction::kSum);

      Elements in(GetParam(), ValuesOf(ranks.rank(), total)), block(GetParam(), mine),
          all(GetParam(), total);
      Collective scatter = Make(CollectiveKind::kReduceScatter, group);
      scatter.input = in.data(), scatter.output = block.data(), scatter.counts = &counts;
      ASSERT_EQ(ranks.Run(scatter), absl::OkStatus());
      EXPECT_EQ(block.values(),
                std::vector<int64_t>(sum.begin() + begin, sum.begin() + begin + mine));

      Collective gather = Make(CollectiveKind::kAllGather, group);
      gather.input = block.data(), gather.output = all.data(), gather.counts = &counts;
      ASSERT_EQ(ranks.Run(gather), absl::OkStatus());
      EXPECT_EQ(all.values(), sum);
    });
}

TEST_P(Conformance, ExchangesDifferentCounts) {
  auto count = [](int from, int to) { return static_cast<int64_t>((from * 2 + to * 3) % 5); };
  for (int n : RankCounts())
    OnRanks(n, [&](Communicator& ranks) {
      std::vector<int> group = Everyone(n);
      std::vector<int64_t> sent(n), got(n), values, expected;
      for (int p = 0; p < n; ++p) {
        sent[p] = count(ranks.rank(), p), got[p] = count(p, ranks.rank());
        values.insert(values.end(), sent[p], ranks.rank() * 8 + p);
        expected.insert(expected.end(), got[p], p * 8 + ranks.rank());
      }
      Elements in(GetParam(), values), out(GetParam(), Total(got));
      Collective call = Make(CollectiveKind::kAllToAll, group);
      call.input = in.data(), call.output = out.data();
      call.counts = &sent, call.recv_counts = &got;
      ASSERT_EQ(ranks.Run(call), absl::OkStatus());
      EXPECT_EQ(out.values(), expected);
    });
}

TEST_P(Conformance, PermutesAndBroadcasts) {
  for (int n : RankCounts())
    OnRanks(n, [&](Communicator& ranks) {
      std::vector<int> group = Everyone(n), targets(n, -1);
      for (int p = 0; p + 1 < n; ++p) targets[p] = p + 1;  // the first one gets nothing
      Elements in(GetParam(), ValuesOf(ranks.rank(), 33)), out(GetParam(), ValuesOf(5, 33));
      Collective call = Make(CollectiveKind::kPermute, group);
      call.input = in.data(), call.output = out.data(), call.count = 33, call.targets = &targets;
      ASSERT_EQ(ranks.Run(call), absl::OkStatus());
      EXPECT_EQ(out.values(),
                ranks.rank() == 0 ? std::vector<int64_t>(33) : ValuesOf(ranks.rank() - 1, 33));
      call.kind = CollectiveKind::kBroadcast;
      call.peer = n - 1;
      ASSERT_EQ(ranks.Run(call), absl::OkStatus());
      EXPECT_EQ(out.values(), ValuesOf(n - 1, 33));
    });
}

// Rows and columns of a grid of ranks at the same time, in both orders of their members.
TEST_P(Conformance, TakesGroups) {
  for (int n : RankCounts()) {
    if (n % 2) continue;
    OnRanks(n, [&](Communicator& ranks) {
      std::vector<int> halves, pair = {ranks.rank() / 2 * 2 + 1, ranks.rank() / 2 * 2};
      for (int r = ranks.rank() % 2; r < n; r += 2) halves.push_back(r);
      for (const std::vector<int>& group : {halves, pair, halves}) {
        Elements values(GetParam(), ValuesOf(ranks.rank(), 40));
        Collective call = Make(CollectiveKind::kAllReduce, group);
        call.input = call.output = values.data(), call.count = 40;
        ASSERT_EQ(ranks.Run(call), absl::OkStatus());
        EXPECT_EQ(values.values(), Combined(group, 40, Reduction::kSum));
      }
    });
  }
}

// Two messages each way between neighbours, which arrive in order.
TEST_P(Conformance, SendsAndReceives) {
  for (int n : RankCounts()) {
    if (n % 2) continue;
    OnRanks(n, [&](Communicator& ranks) {
      std::vector<int> pair = {ranks.rank() / 2 * 2, ranks.rank() / 2 * 2 + 1};
      const int me = ranks.rank() % 2;
      for (int64_t message = 0; message < 2; ++message)
        for (int sender : {0, 1}) {
          Elements out(GetParam(), ValuesOf(pair[sender] + static_cast<int>(message), 20)),
              in(GetParam(), 20);
          Collective call =
              Make(me == sender ? CollectiveKind::kSend : CollectiveKind::kRecv, pair);
          call.peer = 1 - me, call.count = 20;
          call.input = out.data(), call.output = in.data();
          ASSERT_EQ(ranks.Run(call), absl::OkStatus());
          if (me != sender) EXPECT_EQ(in.values(), out.values());
        }
    });
  }
}

// Messages that cross: each rank starts its own and then the other's, in opposite orders.
TEST_P(Conformance, SendsBothWaysAtOnce) {
  for (int n : RankCounts()) {
    if (n % 2) continue;
    OnRanks(n, [&](Communicator& ranks) {
      std::vector<int> pair = {ranks.rank() / 2 * 2, ranks.rank() / 2 * 2 + 1};
      const int me = ranks.rank() % 2;
      Elements out(GetParam(), ValuesOf(ranks.rank(), 20)), in(GetParam(), 20);
      std::vector<CollectiveTicket> tickets;
      for (CollectiveKind kind : {CollectiveKind::kSend, CollectiveKind::kRecv}) {
        Collective call = Make(kind, pair);
        call.peer = 1 - me, call.count = 20;
        call.input = out.data(), call.output = in.data();
        auto ticket = ranks.Start(call);
        ASSERT_EQ(ticket.status(), absl::OkStatus());
        tickets.push_back(*ticket);
      }
      // The send of one meets the receipt of the other, which that one waits for at the same time.
      for (int i : {me, 1 - me}) ASSERT_EQ(ranks.Wait(tickets[i]), absl::OkStatus());
      EXPECT_EQ(in.values(), ValuesOf(pair[1 - me], 20));
    });
  }
}

// Several calls under way at once, waited for in another order.
TEST_P(Conformance, StartsAndWaits) {
  for (int n : RankCounts())
    OnRanks(n, [&](Communicator& ranks) {
      std::vector<int> group = Everyone(n);
      for (int round = 0; round < 40; ++round) {  // more calls than a channel has places
        std::vector<Elements> buffers;
        std::vector<CollectiveTicket> tickets;
        for (int i = 0; i < 3; ++i)
          buffers.emplace_back(GetParam(), ValuesOf(ranks.rank() + i, 25));
        for (int i = 0; i < 3; ++i) {
          Collective call = Make(CollectiveKind::kAllReduce, group);
          call.input = call.output = buffers[i].data(), call.count = 25;
          auto ticket = ranks.Start(call);
          ASSERT_EQ(ticket.status(), absl::OkStatus());
          tickets.push_back(*ticket);
        }
        for (int i : {2, 0, 1}) ASSERT_EQ(ranks.Wait(tickets[i]), absl::OkStatus());
        for (int i = 0; i < 3; ++i) {
          std::vector<int> moved;
          for (int rank : group) moved.push_back(rank + i);
          EXPECT_EQ(buffers[i].values(), Combined(moved, 25, Reduction::kSum));
        }
      }
    });
}

INSTANTIATE_TEST_SUITE_P(Types, Conformance,
                         testing::Values(DType::kF32, DType::kBF16, DType::kF16, DType::kI32,
                                         DType::kI64),
                         [](const auto& info) { return std::string(DTypeName(info.param)); });

// Sums of floats depend on their order; here it is that of the places, for whole and for parts.
TEST(Order, IsThatOfThePlaces) {
  if (!SumsInOrder()) GTEST_SKIP() << "NCCL promises no order";
  for (int n : RankCounts())
    OnRanks(n, [&](Communicator& ranks) {
      std::vector<int> group = Everyone(n);
      std::vector<float> values(257), expected(257, 0.0f);
      auto value = [](int rank, int64_t i) {
        return static_cast<float>((rank % 2 ? -1 : 1) * (1e7 / (rank + 1) + 0.1 * i * rank));
      };
      for (int64_t i = 0; i < 257; ++i) {
        values[i] = value(ranks.rank(), i);
        for (int p = 0; p < n; ++p) expected[i] = p ? expected[i] + value(p, i) : value(p, i);
      }
      Collective call;
      call.group = &group;
      call.input = call.output = values.data(), call.count = 257;
      ASSERT_EQ(ranks.Run(call), absl::OkStatus());
      EXPECT_EQ(values, expected);
    });
}

TEST(Calls, AreCheckedBeforeTheyAreIssued) {
  OnRanks(RankCounts().back(), [&](Communicator& ranks) {
    std::vector<int> group = Everyone(ranks.size()), others = {ranks.rank() + 1};
    std::vector<int64_t> counts(2, -1);
    Collective call;
    call.where = "here";
    call.group = &others;
    EXPECT_THAT(Message(ranks.Run(call)), HasSubstr("all_reduce of here: rank"));
    call.group = &group;
    call.dtype = DType::kBool;
    EXPECT_THAT(Message(ranks.Run(call)), HasSubstr("elements of type BOOL are not reduced"));
    call.dtype = DType::kF32;
    call.kind = CollectiveKind::kAllGather;
    call.counts = &counts;
    EXPECT_THAT(Message(ranks.Run(call)), HasSubstr("takes a count for each of"));
    call.kind = CollectiveKind::kBroadcast;
    call.peer = 100;
    EXPECT_THAT(Message(ranks.Run(call)), HasSubstr("names the place 100"));
  });
}

}  // namespace
}  // namespace ashlar
