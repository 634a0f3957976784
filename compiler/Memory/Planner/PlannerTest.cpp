// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Memory/Planner/Planner.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "compiler/Memory/Planner/BruteForce.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ashlar::planner {
namespace {

using ::testing::HasSubstr;

Plan mustPlan(const Problem &problem, const Options &options = {}) {
  absl::StatusOr<Plan> plan = planMemory(problem, options);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : Plan();
}

/// What a random problem contains beside lives and sizes.
struct Features {
  bool alignment = false, fixed = false, gaps = false, windows = false, aliases = false,
       slices = false;
};

Problem randomProblem(uint32_t seed, const Features &features) {
  std::mt19937 random(seed);
  auto below = [&](int64_t end) { return int64_t(random() % uint64_t(end)); };
  Problem problem;
  const int64_t count = 1 + below(6);
  for (int64_t i = 0; i < count; ++i) {
    Buffer buffer;
    buffer.lower = below(6);
    buffer.upper = buffer.lower + 1 + below(5);
    buffer.size = below(8) == 0 ? 0 : 1 + below(4);
    if (features.alignment)
      buffer.alignment = 1 + below(3);
    if (features.fixed && below(4) == 0)
      buffer.offset = below(3) * buffer.alignment;
    if (features.gaps && buffer.upper - buffer.lower > 2 && below(2) == 0) {
      Gap gap{buffer.lower + 1, buffer.lower + 2, 0, 0};
      if (features.windows && buffer.size > 1) {
        gap.windowLower = below(buffer.size);
        gap.windowUpper = buffer.size;
      }
      buffer.gaps.push_back(gap);
    }
    if (features.aliases && i > 0 && below(3) == 0)
      buffer.alias = Alias{below(i), features.slices ? below(3) : 0};
    problem.buffers.push_back(buffer);
  }
  return problem;
}

struct PropertyCase {
  const char *name;
  Features features;
  bool exact; // the planner promises the optimum and its proof
};

class PlannerProperty : public ::testing::TestWithParam<PropertyCase> {};

TEST_P(PlannerProperty, AgreesWithBruteForce) {
  int planned = 0;
  for (uint32_t seed = 0; seed < 200; ++seed) {
    Problem problem = randomProblem(seed, GetParam().features);
    if (!validateProblem(problem).ok())
      continue; // contradictory by chance
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    ++planned;
    const int64_t optimum = BruteForce(problem).smallestPeak();
    Options options;
    options.workLimit = 20000;
    Plan plan = mustPlan(problem, options);
    ASSERT_EQ(verifyPlan(problem, plan), absl::OkStatus());
    EXPECT_GE(plan.peak, optimum);
    EXPECT_LE(plan.lowerBound, optimum);
    if (GetParam().exact) {
      EXPECT_EQ(plan.peak, optimum);
      EXPECT_TRUE(plan.provedOptimal);
      problem.capacity = optimum;
      EXPECT_EQ(mustPlan(problem, options).outcome, Outcome::Fits);
    }
    if (optimum == 0)
      continue;
    problem.capacity = optimum - 1;
    Outcome outcome = mustPlan(problem, options).outcome;
    EXPECT_NE(outcome, Outcome::Fits);
    if (GetParam().exact)
      EXPECT_EQ(outcome, Outcome::DoesNotFit);
  }
  EXPECT_GT(planned, 100);
}

INSTANTIATE_TEST_SUITE_P(
    Features, PlannerProperty,
    ::testing::Values(PropertyCase{"Plain", {}, true}, PropertyCase{"Aligned", {true}, true},
                      PropertyCase{"Fixed", {true, true}, true},
                      PropertyCase{"Gaps", {true, true, true}, true},
                      PropertyCase{"InPlace", {true, true, true, false, true}, true},
                      PropertyCase{"Windows", {false, true, true, true}, false},
                      PropertyCase{"Slices", {true, false, true, true, true, true}, false}),
    [](const ::testing::TestParamInfo<PropertyCase> &info) { return info.param.name; });

TEST(Planner, PacksTheExampleOfTheHeader) {
  Problem problem;
  problem.buffers = {{0, 3, 4}, {3, 9, 4}, {0, 9, 4}};
  Plan plan = mustPlan(problem);
  EXPECT_EQ(plan.peak, 8);
  EXPECT_EQ(plan.lowerBound, 8);
  EXPECT_TRUE(plan.provedOptimal);
}

TEST(Planner, PlansNothing) {
  Plan plan = mustPlan(Problem());
  EXPECT_EQ(plan.peak, 0);
  EXPECT_TRUE(plan.provedOptimal);
}

TEST(Planner, SaysThatACapacityBelowTheLiveBytesCannotFit) {
  Problem problem;
  problem.buffers = {{0, 3, 4}, {1, 9, 5}};
  problem.capacity = 8;
  EXPECT_EQ(mustPlan(problem).outcome, Outcome::DoesNotFit);
}

/// Cuts a rectangle of steps and bytes into `count` buffers: a problem whose optimum is the
/// rectangle's height, and in which no byte of it may be wasted.
Problem cutProblem(uint32_t seed, int count, int64_t steps, int64_t bytes) {
  std::mt19937 random(seed);
  std::vector<Buffer> pieces = {{0, steps, bytes}};
  while (int(pieces.size()) < count) {
    size_t i = 0; // the largest of a few
    for (int draw = 0; draw < 4; ++draw) {
      size_t other = random() % pieces.size();
      auto area = [&](size_t k) { return (pieces[k].upper - pieces[k].lower) * pieces[k].size; };
      i = draw == 0 || area(other) > area(i) ? other : i;
    }
    Buffer piece = pieces[i];
    int64_t length = piece.upper - piece.lower;
    if (random() % 2 && length > 1) {
      int64_t at = piece.lower + 1 + int64_t(random() % uint64_t(length - 1));
      pieces[i].upper = at;
      pieces.push_back({at, piece.upper, piece.size});
    } else if (piece.size > 1) {
      int64_t at = 1 + int64_t(random() % uint64_t(piece.size - 1));
      pieces[i].size = at;
      pieces.push_back({piece.lower, piece.upper, piece.size - at});
    }
  }
  std::shuffle(pieces.begin(), pieces.end(), random);
  Problem problem;
  problem.buffers = pieces;
  return problem;
}

TEST(Planner, SaysThatAFitIsUnprovedWhenTheWorkEnds) {
  Problem problem = cutProblem(1, 100, 64, 1000);
  problem.capacity = 1000; // it would fit, but no greedy plan shows it
  Options options;
  options.workLimit = 0;
  Plan plan = mustPlan(problem, options);
  EXPECT_EQ(plan.outcome, Outcome::FitNotFound);
  EXPECT_TRUE(plan.stoppedEarly);
}

TEST(Planner, FindsPlansWithoutWaste) {
  for (uint32_t seed = 0; seed < 10; ++seed) {
    Plan plan = mustPlan(cutProblem(seed, 40, 32, 500));
    EXPECT_EQ(plan.peak, 500) << "seed " << seed;
    EXPECT_TRUE(plan.provedOptimal);
  }
}

TEST(Planner, GivesTheSamePlanForAnyNumberOfThreads) {
  for (uint32_t seed : {1, 2, 3}) {
    Problem problem = cutProblem(seed, 150, 100, 10000);
    Options options;
    options.workLimit = 30000;
    options.timeLimit = 1e9;
    Plan one = mustPlan(problem, options);
    EXPECT_GT(one.work, 0) << "the problem is too easy to show anything";
    for (int threads : {2, 3, 8}) {
      options.threads = threads;
      Plan many = mustPlan(problem, options);
      EXPECT_EQ(many.offsets, one.offsets) << threads << " threads";
      EXPECT_EQ(many.work, one.work);
      EXPECT_EQ(many.lowerBound, one.lowerBound);
    }
  }
}

TEST(Planner, MoreWorkIsNeverWorse) {
  Problem problem = cutProblem(7, 200, 100, 10000);
  Options options;
  options.timeLimit = 1e9;
  int64_t last = INT64_MAX;
  for (int64_t work : {0, 1000, 10000, 60000}) {
    options.workLimit = work;
    Plan plan = mustPlan(problem, options);
    EXPECT_LE(plan.peak, last);
    EXPECT_LE(plan.work, work);
    last = plan.peak;
  }
}

TEST(Planner, ObeysTheTimeLimit) {
  Options options;
  options.timeLimit = 0.05; // without it the search would go on for years
  Plan plan = mustPlan(cutProblem(9, 500, 300, 100000), options);
  EXPECT_TRUE(plan.stoppedEarly);
  EXPECT_LT(plan.seconds, 5);
}

TEST(Planner, KeepsAFormerPlanThroughHints) {
  Problem problem = cutProblem(11, 150, 100, 10000);
  Options options;
  options.workLimit = 20000;
  options.timeLimit = 1e9;
  Plan former = mustPlan(problem, options);
  for (size_t i = 0; i < problem.buffers.size(); ++i)
    problem.buffers[i].hint = former.offsets[i];
  options.workLimit = 0;
  EXPECT_LE(mustPlan(problem, options).peak, former.peak);
}

TEST(Verify, FindsEveryFaultOfAPlan) {
  Problem problem;
  problem.buffers = {{0, 3, 8, 4}, {2, 9, 8, 4}, {0, 9, 8}};
  problem.buffers[2].offset = 16;
  problem.buffers.push_back({3, 9, 8});
  problem.buffers[3].alias = Alias{0, 0};
  problem.capacity = 24;
  Plan good = mustPlan(problem);
  ASSERT_EQ(verifyPlan(problem, good), absl::OkStatus());
  auto fault = [&](auto change) {
    Plan plan = good;
    change(plan);
    return std::string(verifyPlan(problem, plan).message());
  };
  EXPECT_THAT(fault([](Plan &p) { p.offsets.pop_back(); }), HasSubstr("3 offsets for 4 buffers"));
  EXPECT_THAT(fault([](Plan &p) { p.offsets[0] += 1; }), HasSubstr("alignment 4"));
  EXPECT_THAT(fault([](Plan &p) { p.offsets[1] = -4; }), HasSubstr("negative"));
  EXPECT_THAT(fault([](Plan &p) { p.offsets[2] = 24; }), HasSubstr("not the fixed 16"));
  EXPECT_THAT(fault([](Plan &p) { p.offsets[3] += 8; }), HasSubstr("alias"));
  EXPECT_THAT(fault([](Plan &p) { p.offsets[1] = p.offsets[0]; }), HasSubstr("shares addresses"));
  EXPECT_THAT(fault([](Plan &p) { p.peak += 8; }), HasSubstr("not the highest end"));
  EXPECT_THAT(fault([](Plan &p) { p.lowerBound = p.peak + 1; }), HasSubstr("above its peak"));
  problem.capacity = 16;
  EXPECT_THAT(fault([](Plan &p) {}), HasSubstr("exceeds the capacity"));
}

TEST(Verify, NamesWhatIsWrongWithAProblem) {
  auto fault = [](std::vector<Buffer> buffers) {
    Problem problem;
    problem.buffers = std::move(buffers);
    absl::StatusOr<Plan> plan = planMemory(problem);
    return plan.ok() ? "no error" : std::string(plan.status().message());
  };
  auto fixedAt = [](Buffer buffer, int64_t offset) {
    buffer.offset = offset;
    return buffer;
  };
  auto aliasOf = [](Buffer buffer, int64_t other, int64_t delta = 0) {
    buffer.alias = Alias{other, delta};
    return buffer;
  };
  auto withGap = [](Buffer buffer, Gap gap) {
    buffer.gaps.push_back(gap);
    return buffer;
  };
  const int64_t huge = int64_t(1) << 60;
  EXPECT_THAT(fault({{3, 3, 1}}), HasSubstr("buffer 0: life [3, 3) is empty"));
  EXPECT_THAT(fault({{0, 3, 1}, {0, 3, -1}}), HasSubstr("buffer 1: size -1 is negative"));
  EXPECT_THAT(fault({{0, 3, 1, 0}}), HasSubstr("alignment 0 is below 1"));
  EXPECT_THAT(fault({{0, 3, huge}, {0, 3, huge}}), HasSubstr("buffer 1: the sum of sizes"));
  EXPECT_THAT(fault({fixedAt({0, 3, 4, 4}, 2)}), HasSubstr("not a multiple of alignment 4"));
  EXPECT_THAT(fault({fixedAt({0, 3, 4}, 2), fixedAt({2, 4, 4}, 4)}),
              HasSubstr("shares addresses with buffer 0"));
  EXPECT_THAT(fault({aliasOf({0, 3, 4}, 1), aliasOf({0, 3, 4}, 0)}),
              HasSubstr("returns to itself"));
  EXPECT_THAT(fault({aliasOf({0, 3, 4}, 7)}), HasSubstr("alias of buffer 7"));
  EXPECT_THAT(fault({fixedAt({0, 3, 4}, 0), fixedAt(aliasOf({0, 3, 4}, 0), 8)}),
              HasSubstr("contradicts"));
  EXPECT_THAT(fault({{0, 3, 4, 4}, aliasOf({0, 3, 4, 4}, 0, 2)}),
              HasSubstr("alignment 4 contradicts"));
  EXPECT_THAT(fault({withGap({0, 3, 4}, {2, 5})}), HasSubstr("gap [2, 5) leaves the life"));
  EXPECT_THAT(fault({withGap(withGap({0, 9, 4}, {2, 5}), {4, 6})}),
              HasSubstr("overlaps another gap"));
  EXPECT_THAT(fault({withGap({0, 9, 4}, {2, 5, 1, 5})}), HasSubstr("window [1, 5)"));
}

} // namespace
} // namespace ashlar::planner
