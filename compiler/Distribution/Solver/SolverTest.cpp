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
  EXPECT_LE(eighty.work, 6 * two.work) << two.work;
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
  Cost optimum = 0;
  const Problem problem = sequence(1, 2000, optimum);
  for (double limit : {0.0, 0.05, 0.5}) {
    Options options;
    options.timeLimit = limit;
    options.threads = 2;
    EXPECT_LE(mustSolve(problem, options).seconds, limit + 1);
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
