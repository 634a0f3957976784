// SPDX-License-Identifier: Apache-2.0
#include "compiler/Distribution/Solver/Solver.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "compiler/Distribution/Solver/BruteForce.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ashlar::solver {

void PrintTo(Cost cost, std::ostream *stream) { *stream << toString(cost); }

namespace {

using ::testing::HasSubstr;

Solution mustSolve(const Problem &problem, const Options &options = {}) {
  absl::StatusOr<Solution> solution = solve(problem, options);
  EXPECT_TRUE(solution.ok()) << solution.status();
  return solution.ok() ? *solution : Solution();
}

/// Whether two costs are equal; GoogleTest does not print 128 bits.
::testing::AssertionResult same(Cost actual, Cost expected) {
  if (actual == expected)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << toString(actual) << " is not " << toString(expected);
}

/// What a random problem contains beside nodes, costs and edges.
struct Features {
  int spaces = 0;
  bool forbidden = false, pins = false, classes = false, start = false, parallel = false;
  int64_t scale = 1; // of the costs
  int density = 3;   // edges per two nodes
};

Problem randomProblem(uint32_t seed, const Features &features) {
  std::mt19937 random(seed);
  auto below = [&](int64_t end) { return int64_t(random() % uint64_t(end)); };
  auto cost = [&]() {
    if (features.forbidden && below(5) == 0)
      return kForbidden + below(2) * 7;
    return below(9) * features.scale + (features.scale > 1 ? below(3) : 0);
  };
  Problem problem;
  for (int space = 0; space < features.spaces; ++space)
    problem.limits.push_back(4 + below(8));
  problem.nodes.resize(size_t(2 + below(6)));
  for (Node &node : problem.nodes) {
    node.strategies.resize(size_t(1 + below(4)));
    const int64_t lower = below(8), upper = lower + below(6);
    for (Strategy &strategy : node.strategies) {
      strategy.cost = cost();
      for (int space = 0; space < features.spaces; ++space)
        if (below(3) > 0)
          strategy.usages.push_back({space, lower, upper, below(6)});
      if (features.spaces > 1 && below(3) == 0)
        strategy.usages.push_back({int32_t(below(features.spaces)), below(5), 5 + below(5), 1});
    }
    if (features.pins && below(4) == 0)
      node.pinned = int32_t(below(int64_t(node.strategies.size())));
  }
  const int64_t nodes = int64_t(problem.nodes.size());
  for (int64_t k = 0; k < nodes * features.density / 2; ++k) {
    Edge edge;
    edge.first = int32_t(below(nodes));
    edge.second = int32_t(below(nodes));
    if (features.parallel && below(2) == 0 && !problem.edges.empty()) {
      edge.first = problem.edges.back().second;
      edge.second = problem.edges.back().first;
    }
    if (edge.first == edge.second)
      continue;
    const size_t size = problem.nodes[size_t(edge.first)].strategies.size() *
                        problem.nodes[size_t(edge.second)].strategies.size();
    while (edge.costs.size() < size)
      edge.costs.push_back(cost());
    problem.edges.push_back(edge);
  }
  if (features.classes)
    for (int64_t k = 0; k < 2; ++k) {
      const int32_t a = int32_t(below(nodes)), b = int32_t(below(nodes));
      if (problem.nodes[size_t(a)].strategies.size() == problem.nodes[size_t(b)].strategies.size())
        problem.classes.push_back({a, b});
    }
  if (features.start)
    for (const Node &node : problem.nodes)
      problem.start.push_back(int32_t(below(int64_t(node.strategies.size()))));
  return problem;
}

struct PropertyCase {
  const char *name;
  Features features;
};

class SolverProperty : public ::testing::TestWithParam<PropertyCase> {};

TEST_P(SolverProperty, AgreesWithBruteForce) {
  int feasible = 0;
  constexpr uint32_t kProblems = 300;
  for (uint32_t seed = 0; seed < kProblems; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const Problem problem = randomProblem(seed, GetParam().features);
    const std::optional<Cost> optimum = BruteForce(problem).optimum;
    Options options;
    options.threads = 1 + int(seed % 2);
    const Solution solution = mustSolve(problem, options);
    ASSERT_EQ(solution.feasible, optimum.has_value());
    EXPECT_EQ(solution.provedInfeasible, !optimum.has_value());
    EXPECT_FALSE(solution.stoppedEarly);
    if (!optimum)
      continue;
    ++feasible;
    absl::StatusOr<Cost> checked = verifySolution(problem, solution.choices);
    ASSERT_TRUE(checked.ok()) << checked.status();
    ASSERT_TRUE(same(solution.cost, *optimum));
    ASSERT_TRUE(same(*checked, *optimum));
    ASSERT_TRUE(same(solution.lowerBound, *optimum));
    EXPECT_TRUE(solution.provedOptimal);
  }
  EXPECT_GT(feasible, int(kProblems) / 10); // the sweep is about something
}

/// With hardly any work neither the bound nor the answer is wrong.
TEST_P(SolverProperty, IsSoundWhenStopped) {
  for (uint32_t seed = 1000; seed < 1100; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const Problem problem = randomProblem(seed, GetParam().features);
    const std::optional<Cost> optimum = BruteForce(problem).optimum;
    Options options;
    options.workLimit = 0;
    const Solution solution = mustSolve(problem, options);
    if (!optimum) {
      EXPECT_FALSE(solution.feasible);
      continue;
    }
    EXPECT_FALSE(solution.provedInfeasible);
    EXPECT_TRUE(solution.lowerBound <= *optimum) << toString(solution.lowerBound);
    if (solution.feasible)
      EXPECT_TRUE(solution.cost >= *optimum) << toString(solution.cost);
  }
}

std::vector<PropertyCase> propertyCases() {
  std::vector<PropertyCase> cases;
  auto add = [&](const char *name, auto change) {
    Features features;
    change(features);
    cases.push_back({name, features});
  };
  add("CostsOnly", [](Features &) {});
  add("Dense", [](Features &f) { f.density = 8; });
  add("Forbidden", [](Features &f) { f.forbidden = true; });
  add("OneSpace", [](Features &f) { f.spaces = 1; });
  add("OneSpaceForbidden", [](Features &f) { f.spaces = 1, f.forbidden = true; });
  add("OneSpaceDense", [](Features &f) { f.spaces = 1, f.density = 8; });
  add("ThreeSpaces", [](Features &f) { f.spaces = 3; });
  add("Pins", [](Features &f) { f.spaces = 1, f.pins = true; });
  add("Classes", [](Features &f) { f.spaces = 1, f.classes = true; });
  add("Start", [](Features &f) { f.spaces = 1, f.start = true; });
  add("Parallel", [](Features &f) { f.parallel = true, f.spaces = 1; });
  add("BeyondSixtyThreeBits",
      [](Features &f) { f.scale = 100'000'000'000'000'000, f.density = 8; });
  add("BeyondSixtyThreeBitsWithMemory", [](Features &f) {
    f.scale = 100'000'000'000'000'000, f.density = 8, f.spaces = 1, f.forbidden = true;
  });
  add("Everything", [](Features &f) {
    f.spaces = 2, f.forbidden = f.pins = f.classes = f.start = f.parallel = true;
  });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Random, SolverProperty, ::testing::ValuesIn(propertyCases()),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace ashlar::solver
