// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The model's formulas on a machine with round numbers.

#include "compiler/CostModel/Roofline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ashlar {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

MachineConstants makeMachine() {
  MachineConstants machine;
  machine.threads = 4;
  machine.f32 = {100e9, 400e9};
  machine.exp = {1e9, 4e9};
  machine.read = {10e9, 20e9};
  machine.cache = {50e9, 100e9};
  machine.cache_bytes = 10e6;
  machine.launch_seconds = 1e-6;
  return machine;
}

TEST(Roofline, HidesMostOfTheLesserPart) {
  Work work;
  work.items = 8;
  work.product_flops = 200e6;    // at 400e9 * 0.5: 1 ms
  work.elementwise_flops = 20e6; // at 200e9: 0.1 ms
  work.transcendentals = 4e6;    // at 4e9: 1 ms
  work.weight_read = 20e6;       // at 20e9: 1 ms
  work.arena_read = 3e6;         // at 100e9, from the cache: 0.05 ms with what is written
  work.arena_write = 2e6;
  work.state_read = 1e6; // at 20e9: 0.05 ms
  CodeShares shares{0.5, 0.25, 0.2};
  Prediction prediction = predict(work, {false, true, false}, makeMachine(), shares);
  EXPECT_NEAR(prediction.computeSeconds, 2.1e-3, 1e-9);
  EXPECT_NEAR(prediction.memorySeconds, 1.1e-3, 1e-9);
  EXPECT_DOUBLE_EQ(prediction.launchSeconds, 1e-6);
  EXPECT_NEAR(prediction.getSeconds(), 2.1e-3 + 0.2 * 1.1e-3 + 1e-6, 1e-9);
  EXPECT_EQ(prediction.getLimit(), Limit::Compute);
  EXPECT_EQ(prediction.busy, 1);
  // Without weights the product is one of values.
  work.weight_read = 0;
  EXPECT_NEAR(predict(work, {false, true, false}, makeMachine(), shares).computeSeconds, 3.1e-3,
              1e-9);
}

TEST(Roofline, ProductsOfBf16GoByTheRateOfTheirCode) {
  MachineConstants machine = makeMachine();
  machine.bf16_dot = {200e9, 800e9};
  Work work;
  work.items = 8;
  work.product_flops = work.bf16_flops = 600e6;
  work.weight_read = 1e3;
  EXPECT_NEAR(predict(work, {}, machine).computeSeconds, 2e-3, 1e-9); // widened: f32
  CodeShares dot = getShares({"avx2", "avx512bf16"});
  EXPECT_NEAR(predict(work, {}, machine, dot).computeSeconds, 600e6 / (dot.bf16Product * 800e9),
              1e-9);
  EXPECT_THAT(explain(work, {}, 1.5e-3, machine, dot),
              HasSubstr("compute: 400 GFLOP/s, 50 % of the bf16 peak"));
  EXPECT_THAT(explain(work, {}, 1.5e-3, machine), HasSubstr("100 % of the FMA peak"));
  // A machine whose constants say nothing of tiles.
  CodeShares tile = getShares({"avx512bf16", "amx-bf16"});
  EXPECT_NEAR(predict(work, {}, machine, tile).computeSeconds, 600e6 / (tile.bf16Product * 400e9),
              1e-9);
  work.bf16_flops = 0;
  EXPECT_NEAR(predict(work, {}, machine, dot).computeSeconds, 2e-3, 1e-9);
}

TEST(Roofline, IdleThreadsCost) {
  Work work;
  work.elementwise_flops = 200e6;
  work.weight_read = 20e6;
  auto at = [&](int64_t items) {
    work.items = items;
    return predict(work, {}, makeMachine());
  };
  EXPECT_NEAR(at(4).computeSeconds, 1e-3, 1e-9);
  EXPECT_NEAR(at(1).computeSeconds, 4e-3, 1e-9);
  EXPECT_NEAR(at(5).computeSeconds, 1e-3 * 8 / 5, 1e-9); // two rounds for five items
  EXPECT_NEAR(at(5).busy, 5.0 / 8, 1e-9);
  EXPECT_NEAR(at(1).memorySeconds, 2e-3, 1e-9); // one core's bandwidth
  EXPECT_NEAR(at(2).memorySeconds, 1e-3, 1e-9); // two have all of it
}

TEST(Roofline, HalfOfTheCacheKeepsWhatIsUsedMost) {
  auto is = [](const Residency &r, bool weights, bool arena, bool state) {
    return r.weights == weights && r.arena == arena && r.state == state;
  };
  EXPECT_TRUE(is(getResidency(2e6, 2e6, 1e6, makeMachine()), true, true, true));
  EXPECT_TRUE(is(getResidency(3e6, 2e6, 1e6, makeMachine()), false, true, true));
  EXPECT_TRUE(is(getResidency(0, 4e6, 2e6, makeMachine()), false, true, false));
  EXPECT_TRUE(is(getResidency(0, 6e6, 0, makeMachine()), false, false, false));
}

TEST(Roofline, ExplainsByWhatIsLargest) {
  MachineConstants machine = makeMachine();
  Work work;
  EXPECT_EQ(explain(work, {}, 1e-6, machine), "nothing to do");
  work.items = 8;
  work.weight_read = 1e6;
  work.product_flops = 2e6;
  EXPECT_THAT(explain(work, {}, 3e-6, machine), HasSubstr("launch: 3.0 times"));
  // 50 us at 20 GB/s; measured in 100 us.
  EXPECT_THAT(explain(work, {}, 100e-6, machine),
              HasSubstr("memory: 2.0 flop/byte (ridge 20), 10.0 GB/s, 50 % of the read bandwidth"));
  EXPECT_THAT(explain(work, {}, 20e-6, machine), HasSubstr("from a cache"));
  EXPECT_THAT(explain(work, {}, 100e-6, machine), Not(HasSubstr("imbalance")));
  work.product_flops = 400e6;
  work.items = 5;
  std::string reason = explain(work, {}, 2e-3, machine);
  EXPECT_THAT(reason, HasSubstr("compute: 200 GFLOP/s, 50 % of the FMA peak"));
  EXPECT_THAT(reason, Not(HasSubstr("waiting for reads")));
  work.arena_read = 30e6; // 1.5 ms at 20 GB/s
  EXPECT_THAT(explain(work, {}, 2e-3, machine), HasSubstr("waiting for reads takes 1"));
  EXPECT_THAT(reason, HasSubstr("imbalance: 5 items keep 62 % of 4 threads busy"));
}

TEST(Roofline, RecomputesWhatIsCheaperThanStoring) {
  MachineConstants machine = makeMachine();
  // Storing takes a launch of 1 us and 2 us of traffic for 10 KB written and read once.
  EXPECT_TRUE(isRecomputingCheaper(100e3, 0, 1, 10e3, machine));
  EXPECT_FALSE(isRecomputingCheaper(100e3, 0, 1000, 10e3, machine));
  machine.launch_seconds = 1;
  EXPECT_TRUE(isRecomputingCheaper(100e3, 0, 1000, 10e3, machine));
}

} // namespace
} // namespace ashlar
