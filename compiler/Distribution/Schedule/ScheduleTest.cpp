// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Schedule/Schedule.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ashlar::schedule {
namespace {

using ::testing::HasSubstr;

Timeline run(Kind kind, Shape shape, const Costs &costs) {
  absl::StatusOr<Schedule> schedule = makeSchedule(kind, shape);
  EXPECT_TRUE(schedule.ok()) << schedule.status();
  absl::StatusOr<Timeline> timeline = simulate(*schedule, costs);
  EXPECT_TRUE(timeline.ok()) << timeline.status();
  return *timeline;
}

/// Time beyond the work of a device.
double idle(const Timeline &timeline, double work) { return timeline.seconds - work; }

// The bubbles that the papers derive, for every small shape.
TEST(Schedule, HasTheKnownBubbles) {
  const double f = 2, b = 3, w = 1;
  for (int p : {1, 2, 3, 4, 8})
    for (int m : {p, 2 * p, 3 * p}) {
      SCOPED_TRACE(testing::Message() << p << " devices, " << m << " microbatches");
      Costs costs = Costs::uniform(p, f, b, w);
      double work = m * (f + b + w);
      EXPECT_NEAR(idle(run(Kind::GPipe, {p, m}, costs), work), (p - 1) * (f + b + w), 1e-9);
      EXPECT_NEAR(idle(run(Kind::OneForwardOneBackward, {p, m}, costs), work),
                  (p - 1) * (f + b + w), 1e-9);
      EXPECT_NEAR(idle(run(Kind::Inference, {p, m}, costs), m * f), (p - 1) * f, 1e-9);
      for (int v : {2, 3}) // v chunks, each a v-th of a device's work
        EXPECT_NEAR(
            idle(run(Kind::Interleaved, {p, m, v}, Costs::uniform(p * v, f / v, b / v, w / v)),
                 work),
            (p - 1) * (f + b + w) / v, 1e-9);
    }
}

// With equal times the weight gradients take two thirds of the bubble away.
TEST(Schedule, FillsTheBubbleWithWeightGradients) {
  for (int p : {2, 3, 4, 8})
    for (int m : {2 * p, 3 * p}) {
      SCOPED_TRACE(testing::Message() << p << " devices, " << m << " microbatches");
      Costs costs = Costs::uniform(p, 1, 1, 1);
      Timeline timeline = run(Kind::ZeroBubbleH1, {p, m}, costs);
      EXPECT_NEAR(idle(timeline, 3 * m), p - 1, 1e-9);
      for (double bytes : timeline.peakBytes)
        EXPECT_LE(bytes, p); // 1F1B's largest
    }
}

TEST(Schedule, KeepsAsManyActivationsAsItSays) {
  Costs costs = Costs::uniform(4, 1, 1, 1);
  EXPECT_EQ(run(Kind::GPipe, {4, 8}, costs).peakBytes, (std::vector<double>{8, 8, 8, 8}));
  EXPECT_EQ(run(Kind::OneForwardOneBackward, {4, 8}, costs).peakBytes,
            (std::vector<double>{4, 3, 2, 1}));
  EXPECT_EQ(run(Kind::Inference, {4, 8}, costs).peakBytes, (std::vector<double>{1, 1, 1, 1}));
}

TEST(Schedule, WaitsForTransfers) {
  Costs costs = Costs::uniform(3, 1, 1, 1);
  costs.transfer = 0.5;
  EXPECT_NEAR(run(Kind::Inference, {3, 4}, costs).seconds, 4 + 2 * 1.5, 1e-9);
}

TEST(Schedule, TakesStagesOfDifferentLengths) {
  Costs costs = Costs::uniform(2, 1, 1, 1);
  costs.stages[1].forward = 3;
  Timeline timeline = run(Kind::Inference, {2, 4}, costs);
  EXPECT_NEAR(timeline.seconds, 1 + 4 * 3, 1e-9);
  EXPECT_NEAR(timeline.bubble, 1 - 16.0 / 26, 1e-9);
}

TEST(Schedule, NamesAStandstill) {
  Schedule schedule = *makeSchedule(Kind::OneForwardOneBackward, {2, 2});
  // Device 0 wants the first backward before it has sent what device 1 needs for it.
  std::swap(schedule.order[0][0], schedule.order[0][2]);
  EXPECT_THAT(simulate(schedule, Costs::uniform(2, 1, 1, 1)).status().message(),
              HasSubstr("device 0 waits in B(0, 0) for F(0, 0); device 1 waits in F(0, 1) for "
                        "F(0, 0)"));
}

TEST(Schedule, NamesTasksThatAreMissingOrTwice) {
  Schedule schedule = *makeSchedule(Kind::GPipe, {2, 2});
  Schedule missing = schedule, twice = schedule, elsewhere = schedule;
  missing.order[1].pop_back();
  EXPECT_THAT(validate(missing).message(), HasSubstr("B(1, 1) is missing on device 1"));
  twice.order[1].push_back(twice.order[1].front());
  EXPECT_THAT(validate(twice).message(), HasSubstr("F(0, 1) is twice on device 1"));
  std::swap(elsewhere.order[0][0], elsewhere.order[1][0]);
  EXPECT_THAT(validate(elsewhere).message(), HasSubstr("F(0, 1) does not belong on device 0"));
}

TEST(Schedule, InterleavesForwards) {
  // Filling the pipeline takes half as long with twice as many stages of half the length.
  EXPECT_EQ(run(Kind::Inference, {4, 8, 2}, Costs::uniform(8, 0.5, 0, 0)).seconds, 8 + 1.5);
  EXPECT_EQ(run(Kind::Inference, {4, 8}, Costs::uniform(4, 1, 0, 0)).seconds, 8 + 3);
  // A last group of fewer microbatches than devices, which wait for each other then.
  for (int microbatches : {1, 3, 5, 6, 7}) {
    Timeline timeline = run(Kind::Inference, {4, microbatches, 2}, Costs::uniform(8, 0.5, 0, 0));
    EXPECT_LE(timeline.seconds, microbatches + 3) << microbatches;
    EXPECT_GE(timeline.seconds, microbatches + 1.5) << microbatches;
  }
  Schedule schedule = *makeSchedule(Kind::Inference, {2, 3, 2});
  std::string order;
  for (const Task &task : schedule.order[0])
    order += toString(task) + " ";
  EXPECT_EQ(order, "F(0, 0) F(1, 0) F(0, 2) F(1, 2) F(2, 0) F(2, 2) ");
}

TEST(Schedule, RefusesShapesThatItCannotServe) {
  EXPECT_THAT(makeSchedule(Kind::Interleaved, {4, 6, 2}).status().message(),
              HasSubstr("in multiples of the 4 devices, found 6"));
  EXPECT_THAT(makeSchedule(Kind::GPipe, {4, 8, 2}).status().message(),
              HasSubstr("only the interleaved one has several chunks per device, found 2"));
}

} // namespace
} // namespace ashlar::schedule
