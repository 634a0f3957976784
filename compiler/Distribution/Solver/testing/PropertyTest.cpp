// The solver against brute force on small random problems.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "absl/strings/str_cat.h"
#include "compiler/Distribution/Solver/testing/BruteForce.h"
#include "compiler/Distribution/Solver/testing/TestProblems.h"

namespace ashlar::solver {
namespace {

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
