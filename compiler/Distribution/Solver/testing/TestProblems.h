// What the solver's tests share: random problems and comparisons.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_TESTING_TESTPROBLEMS_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_TESTING_TESTPROBLEMS_H

#include <random>

#include "compiler/Distribution/Solver/Solver.h"
#include "gtest/gtest.h"

namespace ashlar::solver {

/// Where a test is not about time, its limit is none: a machine may be slow, or busy.
inline Options patient() {
  Options options;
  options.timeLimit = 3600;
  return options;
}

inline Solution mustSolve(const Problem &problem, const Options &options = patient()) {
  absl::StatusOr<Solution> solution = solve(problem, options);
  EXPECT_TRUE(solution.ok()) << solution.status();
  return solution.ok() ? *solution : Solution();
}

/// Whether two costs are equal; GoogleTest does not print 128 bits.
inline ::testing::AssertionResult same(Cost actual, Cost expected) {
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

inline Problem randomProblem(uint32_t seed, const Features &features) {
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

} // namespace ashlar::solver

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_TESTING_TESTPROBLEMS_H
