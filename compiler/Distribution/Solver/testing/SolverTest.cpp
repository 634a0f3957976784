// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Solver.h"

#include "absl/strings/str_cat.h"
#include "compiler/Distribution/Solver/testing/BruteForce.h"
#include "compiler/Distribution/Solver/testing/TestProblems.h"
#include "gmock/gmock.h"

#include <algorithm>
#include <ctime>

namespace ashlar::solver {
namespace {

using ::testing::HasSubstr;

/// Many small random problems one after the other in time: their optima add up, and the whole is
/// too large to be searched at once.
Problem sequence(uint32_t firstSeed, int count, Cost &optimum) {
  Features features;
  features.spaces = 1;
  features.density = 5;
  Problem all;
  all.limits = {12};
  optimum = 0;
  for (uint32_t seed = firstSeed; count > 0; ++seed) {
    Problem part = randomProblem(seed, features);
    // The common limit is that of the part, less what something that is always there occupies.
    const int64_t rest = all.limits[0] - part.limits[0];
    const std::optional<Cost> least = BruteForce(part).optimum;
    if (!least)
      continue;
    --count;
    optimum += *least;
    const int32_t offset = int32_t(all.nodes.size());
    for (Node &node : part.nodes) {
      for (Strategy &strategy : node.strategies)
        for (Usage &usage : strategy.usages) {
          usage.lower += 100 * count;
          usage.upper += 100 * count;
        }
      all.nodes.push_back(node);
    }
    Node ballast;
    ballast.strategies = {{0, {{0, 100 * count, 100 * count + 100, rest}}}};
    all.nodes.push_back(ballast);
    for (Edge &edge : part.edges) {
      edge.first += offset;
      edge.second += offset;
      all.edges.push_back(edge);
    }
  }
  return all;
}

TEST(Solver, FindsTheOptimumOfManyParts) {
  for (uint32_t seed = 0; seed < 3; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Cost optimum = 0;
    const Problem problem = sequence(5000 * seed, 200, optimum);
    Options options;
    options.workLimit = 30'000;
    const Solution solution = mustSolve(problem, options);
    ASSERT_TRUE(solution.feasible);
    EXPECT_GT(solution.coreNodes, 64);
    EXPECT_TRUE(same(solution.cost, optimum));
    EXPECT_TRUE(solution.lowerBound <= optimum) << toString(solution.lowerBound);
    EXPECT_GE(double(solution.lowerBound), 0.9 * double(optimum));
  }
}

TEST(Solver, GivesTheSameSolutionForAnyNumberOfThreads) {
  Cost optimum = 0;
  const Problem problem = sequence(77, 100, optimum);
  Options options;
  for (int64_t work : {0, 2'000, 20'000}) {
    options.workLimit = work;
    options.threads = 1;
    const Solution one = mustSolve(problem, options);
    options.threads = 2;
    const Solution two = mustSolve(problem, options);
    options.threads = 5;
    const Solution five = mustSolve(problem, options);
    EXPECT_EQ(one.choices, two.choices) << work;
    EXPECT_EQ(one.choices, five.choices) << work;
    EXPECT_EQ(one.work, two.work) << work;
    EXPECT_TRUE(same(one.lowerBound, two.lowerBound)) << work;
  }
}

/// A chain of equal layers: three operations and a residual connection each.
Problem layers(int count) {
  std::mt19937 random(7);
  constexpr int kStrategies = 9;
  std::vector<std::vector<int64_t>> matrices(4), costs(3);
  for (auto &matrix : matrices)
    for (int k = 0; k < kStrategies * kStrategies; ++k)
      matrix.push_back(int64_t(random() % 1000));
  for (auto &list : costs)
    for (int k = 0; k < kStrategies; ++k)
      list.push_back(int64_t(random() % 1000));
  Problem problem;
  for (int layer = 0; layer < count; ++layer) {
    const int32_t first = int32_t(problem.nodes.size());
    for (const auto &list : costs) {
      problem.nodes.emplace_back();
      for (int64_t cost : list)
        problem.nodes.back().strategies.push_back({cost, {}});
    }
    problem.edges.push_back({first, first + 1, matrices[0]});
    problem.edges.push_back({first + 1, first + 2, matrices[1]});
    problem.edges.push_back({first, first + 2, matrices[2]});
    if (layer > 0)
      problem.edges.push_back({first - 1, first, matrices[3]});
  }
  return problem;
}

TEST(Solver, EightyEqualLayersCostLittleMoreThanOne) {
  const Solution two = mustSolve(layers(2)), eighty = mustSolve(layers(80));
  EXPECT_TRUE(two.provedOptimal);
  EXPECT_TRUE(eighty.provedOptimal);
  EXPECT_EQ(eighty.coreNodes, 0);
  EXPECT_LE(eighty.work, 2 * two.work) << two.work;
}

TEST(Solver, CostsNoMoreThanTheStart) {
  Cost optimum = 0;
  Problem problem = sequence(31, 60, optimum);
  Options options;
  options.workLimit = 20'000;
  problem.start = mustSolve(problem, options).choices;
  ASSERT_FALSE(problem.start.empty());
  const Cost known = *verifySolution(problem, problem.start);
  options.workLimit = 0;
  const Solution solution = mustSolve(problem, options);
  ASSERT_TRUE(solution.feasible);
  EXPECT_TRUE(solution.cost <= known);
}

TEST(Solver, KeepsToTheTimeLimit) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "a sanitizer makes reading the problem take longer than the limit";
#endif
#endif
  Cost optimum = 0;
  const Problem problem = sequence(1, 2000, optimum);
  for (double limit : {0.0, 0.05, 0.5}) {
    Options options;
    options.timeLimit = limit;
    options.threads = 2;
    const std::clock_t begin = std::clock();
    double seconds = mustSolve(problem, options).seconds;
    // On a machine that does something else the solver's own time is what counts.
    double busy = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    EXPECT_LE(std::min(seconds, busy), limit + 1);
    EXPECT_LE(seconds, limit + 5);
  }
}

TEST(Solver, SolvesTheTrivial) {
  Problem problem;
  EXPECT_TRUE(mustSolve(problem).provedOptimal);
  problem.limits = {0};
  problem.nodes.resize(2);
  problem.nodes[0].strategies = {{3, {{0, 0, 5, 1}}}, {4, {}}};
  problem.nodes[1].strategies = {{9, {{0, 5, 5, 100}}}}; // an empty interval occupies nothing
  EXPECT_TRUE(same(mustSolve(problem).cost, 13));
  problem.nodes[0].strategies.pop_back();
  EXPECT_TRUE(mustSolve(problem).provedInfeasible);
  problem.limits = {1};
  EXPECT_TRUE(same(mustSolve(problem).cost, 12));
}

TEST(Solver, HalfOpenIntervalsDoNotMeet) {
  Problem problem;
  problem.limits = {10};
  problem.nodes.resize(2);
  problem.nodes[0].strategies = {{0, {{0, 0, 5, 10}}}};
  problem.nodes[1].strategies = {{0, {{0, 5, 9, 10}}}};
  EXPECT_TRUE(mustSolve(problem).feasible);
  problem.nodes[1].strategies[0].usages[0].lower = 4;
  EXPECT_TRUE(mustSolve(problem).provedInfeasible);
}

Problem faulty() {
  Problem problem;
  problem.limits = {10};
  problem.nodes.resize(2);
  problem.nodes[0].strategies = {{0, {{0, 0, 5, 10}}}, {1, {}}};
  problem.nodes[1].strategies = {{0, {}}, {1, {}}, {2, {}}};
  problem.edges = {{0, 1, {0, 1, 2, 3, 4, 5}}};
  return problem;
}

std::string errorOf(const Problem &problem) {
  return std::string(solve(problem).status().message());
}

TEST(Validation, NamesTheField) {
  EXPECT_EQ(errorOf(faulty()), "");
  Problem problem = faulty();
  problem.nodes[1].strategies.clear();
  EXPECT_EQ(errorOf(problem), "nodes[1].strategies: a node needs a strategy");
  problem = faulty();
  problem.nodes[1].pinned = 3;
  EXPECT_EQ(errorOf(problem), "nodes[1].pinned: 3 is not one of the 3 strategies");
  problem = faulty();
  problem.nodes[0].strategies[1].cost = -1;
  EXPECT_EQ(errorOf(problem), "nodes[0].strategies[1].cost: -1 is negative");
  problem = faulty();
  problem.nodes[0].strategies[0].usages[0].space = 1;
  EXPECT_EQ(errorOf(problem),
            "nodes[0].strategies[0].usages[0].space: 1 is not one of the 1 spaces");
  problem = faulty();
  problem.nodes[0].strategies[0].usages[0].upper = -1;
  EXPECT_EQ(errorOf(problem), "nodes[0].strategies[0].usages[0].upper: -1 is below lower, 0");
  problem = faulty();
  problem.nodes[0].strategies[0].usages[0].bytes = -4;
  EXPECT_EQ(errorOf(problem), "nodes[0].strategies[0].usages[0].bytes: -4 is negative");
  problem = faulty();
  problem.limits[0] = -1;
  EXPECT_EQ(errorOf(problem), "limits[0]: -1 is negative");
  problem = faulty();
  problem.edges[0].second = 2;
  EXPECT_EQ(errorOf(problem), "edges[0].second: 2 is not one of the 2 nodes");
  problem = faulty();
  problem.edges[0].second = 0;
  EXPECT_EQ(errorOf(problem), "edges[0].second: joins node 0 to itself");
  problem = faulty();
  problem.edges[0].costs.pop_back();
  EXPECT_EQ(errorOf(problem), "edges[0].costs: expected 6 costs (2 x 3 strategies), found 5");
  problem = faulty();
  problem.edges[0].costs[4] = -7;
  EXPECT_EQ(errorOf(problem), "edges[0].costs[4]: -7 is negative");
  problem = faulty();
  problem.classes = {{0, 1}};
  EXPECT_EQ(errorOf(problem), "classes[0][1]: node 1 has 3 strategies, node 0 has 2");
  problem = faulty();
  problem.classes = {{}};
  EXPECT_EQ(errorOf(problem), "classes[0]: has no nodes");
  problem = faulty();
  problem.start = {0};
  EXPECT_EQ(errorOf(problem), "start: expected 2 choices, found 1");
  problem = faulty();
  problem.limits[0] = INT64_MAX;
  problem.nodes[0].strategies[0].usages[0].bytes = INT64_MAX;
  EXPECT_THAT(errorOf(problem), HasSubstr("more than 2^61 bytes"));
}

TEST(Verification, NamesWhatIsViolated) {
  Problem problem = faulty();
  auto verdict = [&](const std::vector<int32_t> &choices) {
    return std::string(verifySolution(problem, choices).status().message());
  };
  EXPECT_EQ(verdict({0, 2}), "");
  EXPECT_TRUE(same(*verifySolution(problem, {1, 2}), 1 + 2 + 5));
  EXPECT_EQ(verdict({0}), "expected 2 choices, found 1");
  EXPECT_EQ(verdict({2, 0}), "node 0: 2 is not one of the 2 strategies");
  problem.edges[0].costs[2] = kForbidden;
  EXPECT_EQ(verdict({0, 2}), "edge 0: strategies 0 and 2 are forbidden together");
  problem.nodes[1].strategies[0].cost = kForbidden + 1;
  EXPECT_EQ(verdict({0, 0}), "node 1: strategy 0 is forbidden");
  problem.nodes[1].pinned = 2;
  EXPECT_EQ(verdict({0, 1}), "node 1: takes 1, is pinned to 2");
  problem.limits[0] = 9;
  EXPECT_EQ(verdict({0, 2}), "edge 0: strategies 0 and 2 are forbidden together");
  problem.edges.clear();
  EXPECT_EQ(verdict({0, 2}), "space 0 at time 0: 10 bytes of 9");
}

TEST(Cost, PrintsMoreThanSixtyFourBits) {
  EXPECT_EQ(toString(0), "0");
  EXPECT_EQ(toString(Cost(kForbidden) * 1000 + 7), "1000000000000000000007");
  EXPECT_EQ(toString(-Cost(12)), "-12");
}

} // namespace
} // namespace ashlar::solver
