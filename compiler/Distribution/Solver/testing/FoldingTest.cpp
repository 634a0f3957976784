// Programs of equal layers: that what is equal is computed once, and that nothing is lost by it.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <numeric>

#include "absl/strings/str_cat.h"
#include "compiler/Distribution/Solver/Path/PathSearch.h"
#include "compiler/Distribution/Solver/Problem/Core.h"
#include "compiler/Distribution/Solver/Reductions/Reduce.h"
#include "compiler/Distribution/Solver/testing/BruteForce.h"
#include "compiler/Distribution/Solver/testing/TestProblems.h"

namespace ashlar::solver {
namespace {

enum class Lives { kShort, kUntilBackwardPass, kAlways };

struct Layers {
  int count = 1, nodes = 12, strategies = 12;
  Lives lives = Lives::kShort;
  bool residual = false;
  bool ends = false; // other nodes before the first and behind the last layer
  uint32_t seed = 7;
};

/// A chain of equal layers. Buffers live for three operations; or, three of four, until the
/// operation's mirror image in time; or some for the whole program.
Problem chain(const Layers &layers) {
  std::mt19937 random(layers.seed);
  auto list = [&](size_t size, uint32_t end) {
    std::vector<int64_t> values;
    while (values.size() < size)
      values.push_back(int64_t(random() % end));
    return values;
  };
  const size_t square = size_t(layers.strategies) * size_t(layers.strategies);
  std::vector<std::vector<int64_t>> costs, bytes, near, far;
  for (int i = 0; i < layers.nodes; ++i) {
    costs.push_back(list(size_t(layers.strategies), 1000));
    bytes.push_back(list(size_t(layers.strategies), 100));
    near.push_back(list(square, 500));
    far.push_back(list(square, 500));
  }
  const std::vector<int64_t> residual = list(square, 500);
  Problem problem;
  problem.limits = {INT64_MAX / 8};
  const int64_t ends = layers.ends ? 2 : 0;
  const int64_t length = layers.count * layers.nodes + 2 * ends;
  auto addNode = [&](int i, const std::vector<int64_t> &itsCosts,
                     const std::vector<int64_t> &itsBytes) {
    const int64_t now = int64_t(problem.nodes.size());
    int64_t lower = now, upper = now + 3;
    if (layers.lives == Lives::kUntilBackwardPass && i % 4 == 2)
      lower = 2 * length - now, upper = lower + 2;
    else if (layers.lives == Lives::kUntilBackwardPass && i % 4 != 3)
      upper = 2 * length - now;
    else if (layers.lives == Lives::kAlways && i % 4 == 1)
      lower = 0, upper = length + 4;
    Node node;
    for (size_t j = 0; j < itsCosts.size(); ++j)
      node.strategies.push_back({itsCosts[j], {{0, lower, upper, itsBytes[j]}}});
    problem.nodes.push_back(node);
  };
  auto addEnd = [&] {
    for (int k = 0; k < ends; ++k) {
      addNode(0, list(size_t(layers.strategies), 3000), list(size_t(layers.strategies), 150));
      const int32_t last = int32_t(problem.nodes.size()) - 1;
      if (last > 0)
        problem.edges.push_back({last - 1, last, list(square, 700)});
    }
  };
  addEnd();
  for (int layer = 0; layer < layers.count; ++layer) {
    const int32_t first = int32_t(problem.nodes.size());
    for (int i = 0; i < layers.nodes; ++i)
      addNode(i, costs[size_t(i)], bytes[size_t(i)]);
    for (int i = 0; i < layers.nodes; ++i) {
      if (i + 1 < layers.nodes)
        problem.edges.push_back({first + i, first + i + 1, near[size_t(i)]});
      if (i + 2 < layers.nodes)
        problem.edges.push_back({first + i, first + i + 2, far[size_t(i)]});
    }
    if (layers.residual)
      problem.edges.push_back({first, first + layers.nodes - 1, residual});
    if (first > 0)
      problem.edges.push_back({first - 1, first, near[size_t(layers.nodes) - 1]});
  }
  addEnd();
  return problem;
}

/// The most bytes that live at once.
int64_t peakOf(const Problem &problem, const std::vector<int32_t> &choices) {
  std::map<int64_t, int64_t> changes;
  for (size_t i = 0; i < choices.size(); ++i)
    for (const Usage &usage : problem.nodes[i].strategies[size_t(choices[i])].usages) {
      changes[usage.lower] += usage.bytes;
      changes[usage.upper] -= usage.bytes;
    }
  int64_t live = 0, peak = 0;
  for (auto [time, bytes] : changes)
    peak = std::max(peak, live += bytes);
  return peak;
}

/// Limits memory to the least that is possible and a share of what the unlimited optimum uses
/// beyond that.
Problem tight(Problem problem, double share) {
  std::vector<int32_t> frugal;
  for (const Node &node : problem.nodes) {
    const auto least = std::min_element(
        node.strategies.begin(), node.strategies.end(),
        [](const Strategy &a, const Strategy &b) { return a.usages[0].bytes < b.usages[0].bytes; });
    frugal.push_back(int32_t(least - node.strategies.begin()));
  }
  const int64_t low = peakOf(problem, frugal);
  const int64_t high = peakOf(problem, mustSolve(problem).choices);
  problem.limits = {low + int64_t(share * double(high - low))};
  return problem;
}

TEST(Folding, EightyLayersWithoutTightMemoryTakeTheWorkOfFour) {
  Layers layers;
  layers.strategies = 20;
  const Solution one = mustSolve(chain(layers));
  EXPECT_TRUE(one.provedOptimal);
  for (int count : {8, 80, 800}) {
    layers.count = count;
    const Solution many = mustSolve(chain(layers));
    EXPECT_TRUE(many.provedOptimal) << count;
    EXPECT_LE(many.work, 4 * one.work + count / 2) << count;
  }
}

TEST(Folding, EightyLayersWithDisjointBuffersTakeTheWorkOfFew) {
  Layers layers;
  layers.count = 6;
  const double share = 0.4;
  const Solution few = mustSolve(tight(chain(layers), share));
  layers.count = 80;
  const Solution many = mustSolve(tight(chain(layers), share));
  EXPECT_TRUE(few.provedOptimal);
  EXPECT_TRUE(many.provedOptimal);
  EXPECT_GT(many.coreNodes, 64);
  EXPECT_LE(many.work, 3 * few.work + 80 * layers.nodes) << few.work;
}

struct TightCase {
  const char *name;
  Layers layers;
  double gap; // relative
};

class TightMemory : public ::testing::TestWithParam<TightCase> {};

TEST_P(TightMemory, LeavesLittleGap) {
  for (double share : {0.1, 0.5}) {
    SCOPED_TRACE(absl::StrCat("share ", share));
    const Problem problem = tight(chain(GetParam().layers), share);
    Options options = patient();
    options.workLimit = 150'000;
    const Solution solution = mustSolve(problem, options);
    ASSERT_TRUE(solution.feasible);
    EXPECT_GT(solution.coreRows, 0);
    EXPECT_LE(double(solution.cost - solution.lowerBound), GetParam().gap * double(solution.cost))
        << toString(solution.cost) << " " << toString(solution.lowerBound);
  }
}

std::vector<TightCase> tightCases() {
  std::vector<TightCase> cases;
  auto add = [&](const char *name, double gap, auto change) {
    Layers layers;
    layers.count = 80;
    change(layers);
    cases.push_back({name, layers, gap});
  };
  add("Inference", 0, [](Layers &) {});
  add("InferenceEnds", 0, [](Layers &l) { l.ends = true; });
  add("InferenceResidual", 0, [](Layers &l) { l.residual = true, l.strategies = 8; });
  add("Training", 0.005, [](Layers &l) { l.lives = Lives::kUntilBackwardPass; });
  add("TrainingEnds", 0.005, [](Layers &l) { l.lives = Lives::kUntilBackwardPass, l.ends = true; });
  add("TrainingResidual", 0.005,
      [](Layers &l) { l.lives = Lives::kUntilBackwardPass, l.residual = true; });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Eighty, TightMemory, ::testing::ValuesIn(tightCases()),
                         [](const auto &info) { return info.param.name; });

TEST(Folding, GivesTheSameSolutionForAnyNumberOfThreads) {
  Layers layers;
  layers.count = 20;
  layers.lives = Lives::kUntilBackwardPass;
  const Problem problem = tight(chain(layers), 0.3);
  Options options;
  options.workLimit = 10'000;
  const Solution one = mustSolve(problem, options);
  options.threads = 3;
  const Solution three = mustSolve(problem, options);
  EXPECT_EQ(one.choices, three.choices);
  EXPECT_EQ(one.work, three.work);
  EXPECT_TRUE(same(one.lowerBound, three.lowerBound));
}

/// Small random layers, repeated, with what breaks the symmetry.
Problem repeated(uint32_t seed) {
  std::mt19937 random(seed);
  auto below = [&](int64_t end) { return int64_t(random() % uint64_t(end)); };
  Layers layers;
  layers.count = 2 + int(below(3));
  layers.nodes = layers.count == 2 ? 4 : layers.count == 3 ? 3 : 2;
  layers.strategies = 2 + int(below(2));
  layers.lives = Lives(below(3));
  layers.residual = layers.nodes > 2 && below(2) == 0;
  layers.seed = seed;
  Problem problem = chain(layers);
  for (Node &node : problem.nodes)
    for (Strategy &strategy : node.strategies)
      strategy.usages[0].bytes = strategy.usages[0].bytes % 7;
  problem.limits = {4 + below(20)};
  if (below(3) == 0)
    problem.nodes[size_t(below(int64_t(problem.nodes.size())))].pinned = 1;
  if (below(3) == 0) // the same choice in each layer
    for (int layer = 0; layer < layers.count; ++layer) {
      problem.classes.resize(1);
      problem.classes[0].push_back(layer * layers.nodes);
    }
  return problem;
}

TEST(Folding, AgreesWithBruteForce) {
  int feasible = 0, searched = 0;
  for (uint32_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const Problem problem = repeated(seed);
    const std::optional<Cost> optimum = BruteForce(problem).optimum;
    const Solution solution = mustSolve(problem);
    ASSERT_EQ(solution.feasible, optimum.has_value());
    // The search along a path alone, which small problems are otherwise spared.
    detail::Graph graph = detail::buildGraph(problem);
    detail::reduce(graph);
    if (optimum) {
      ++feasible;
      ASSERT_TRUE(same(solution.cost, *optimum));
      ASSERT_TRUE(solution.provedOptimal);
    }
    if (graph.infeasible)
      continue;
    const detail::Core core(graph);
    if (core.size() == 0)
      continue;
    std::vector<int32_t> all(size_t(core.size()));
    std::iota(all.begin(), all.end(), 0);
    detail::State state;
    state.choices.assign(all.size(), 0);
    state.slack = core.slackOf(state.choices);
    const detail::Subproblem whole = detail::makeSubproblem(core, state, all);
    detail::SearchOptions options;
    for (int64_t mostEntries : {1, 64, 1 << 20}) { // that exact rows may take
      for (int64_t work : {2'000, 1'000'000}) {
        ++searched;
        options.mostEntries = mostEntries;
        options.mostWork = work;
        const detail::SearchResult found = searchPath(whole, detail::kInfinity, options);
        const double least = optimum ? double(*optimum - graph.constant) : detail::kInfinite;
        EXPECT_LE(found.bound, least);
        if (found.improved) {
          ASSERT_TRUE(optimum);
          std::vector<int32_t> choices = core.expand(found.choices);
          absl::StatusOr<Cost> checked = verifySolution(problem, choices);
          ASSERT_TRUE(checked.ok()) << checked.status();
          EXPECT_TRUE(same(*checked, found.cost + graph.constant));
          EXPECT_GE(double(found.cost), least);
        }
        if (found.exhausted) {
          EXPECT_EQ(found.improved, optimum.has_value());
          if (found.improved)
            EXPECT_TRUE(same(found.cost + graph.constant, *optimum));
        }
        if (work > 2'000)
          EXPECT_TRUE(found.exhausted);
      }
    }
  }
  EXPECT_GT(feasible, 100);
  EXPECT_GT(searched, 100);
}

} // namespace
} // namespace ashlar::solver
