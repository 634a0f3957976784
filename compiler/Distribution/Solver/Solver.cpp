// Puts the parts in order: check, reduce, bound, search, verify.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Solver.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "compiler/Distribution/Solver/Portfolio.h"
#include "compiler/Distribution/Solver/Reductions/Reduce.h"

namespace ashlar::solver {
namespace {

using namespace detail;
using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Clock::time_point deadlineOf(Clock::time_point start, double seconds) {
  constexpr double kForever = 1e9;
  if (!(seconds < kForever))
    return Clock::time_point::max();
  return start + std::chrono::duration_cast<Clock::duration>(
                     std::chrono::duration<double>(std::max(0.0, seconds)));
}

/// Takes over choices for all nodes if they are a solution and better than what is there.
absl::Status adopt(const Problem &problem, std::vector<int32_t> choices, Solution &solution) {
  absl::StatusOr<Cost> cost = verifySolution(problem, choices);
  if (!cost.ok())
    return cost.status();
  if (solution.feasible && solution.cost <= *cost)
    return absl::OkStatus();
  solution.feasible = true;
  solution.choices = std::move(choices);
  solution.cost = *cost;
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<Solution> solve(const Problem &problem, const Options &options) {
  const Clock::time_point start = Clock::now();
  if (absl::Status status = validateProblem(problem); !status.ok())
    return status;
  Solution solution;
  if (!problem.start.empty())
    adopt(problem, problem.start, solution).IgnoreError(); // if it is none, it is a hint
  // The end of a run, with its last round and its checks, takes time too.
  const Clock::time_point deadline =
      deadlineOf(start, options.timeLimit - std::min(0.5, 0.05 * options.timeLimit));
  Graph graph = buildGraph(problem);
  solution.work = reduce(graph, deadline) / kWorkUnit;
  if (graph.infeasible) {
    solution.provedInfeasible = !solution.feasible;
    solution.seconds = secondsSince(start);
    if (solution.feasible)
      return absl::InternalError("the reductions lost the solution to start from");
    return solution;
  }
  Core core(graph);
  PortfolioOptions limits;
  limits.threads = options.threads;
  limits.deadline = deadline;
  if (options.workLimit)
    limits.workLimit = std::min(*options.workLimit, INT64_MAX / (2 * kWorkUnit));
  if (solution.feasible)
    limits.upper = solution.cost;
  if (!problem.start.empty())
    limits.start = core.restrict(problem.start);
  if (options.onProgress)
    limits.onProgress = [&](Cost cost, Cost lowerBound) {
      Progress progress{secondsSince(start), std::nullopt, lowerBound};
      if (isAllowed(cost))
        progress.cost = cost;
      options.onProgress(progress);
    };
  const PortfolioResult result = optimise(core, limits);
  if (result.found)
    if (absl::Status status = adopt(problem, core.expand(result.choices), solution); !status.ok())
      return absl::InternalError(
          absl::StrCat("the result did not pass its check: ", status.message()));
  solution.coreNodes = core.size();
  for (const auto &neighbours : core.neighbours)
    solution.coreEdges += int64_t(neighbours.size());
  solution.coreEdges /= 2;
  solution.coreRows = core.rows();
  solution.lowerBound = std::max(graph.constant, result.lowerBound);
  if (result.exhausted) {
    solution.provedInfeasible = !solution.feasible;
    if (solution.feasible)
      solution.lowerBound = solution.cost;
  }
  if (solution.feasible && solution.lowerBound > solution.cost)
    return absl::InternalError(absl::StrCat("the lower bound ", toString(solution.lowerBound),
                                            " is above the cost ", toString(solution.cost)));
  solution.provedOptimal = solution.feasible && solution.lowerBound == solution.cost;
  solution.stoppedEarly = !solution.provedOptimal && !solution.provedInfeasible;
  solution.work += result.work;
  solution.seconds = secondsSince(start);
  return solution;
}

} // namespace ashlar::solver
