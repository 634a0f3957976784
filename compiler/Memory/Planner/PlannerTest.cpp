// SPDX-License-Identifier: Apache-2.0
#include "compiler/Memory/Planner/Planner.h"

#include <gtest/gtest.h>

namespace ashlar {
namespace {

TEST(Planner, PacksTheExampleOfTheHeader) {
  Problem problem;
  problem.buffers = {{0, 3, 4}, {3, 9, 4}, {0, 9, 4}};
  absl::StatusOr<Plan> plan = planMemory(problem);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->peak, 8);
  EXPECT_EQ(plan->lowerBound, 8);
  EXPECT_TRUE(plan->provedOptimal);
}

TEST(Planner, SaysThatACapacityBelowTheLiveBytesCannotFit) {
  Problem problem;
  problem.buffers = {{0, 3, 4}, {1, 9, 5}};
  problem.capacity = 8;
  absl::StatusOr<Plan> plan = planMemory(problem);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->outcome, Outcome::DoesNotFit);
}

} // namespace
} // namespace ashlar
