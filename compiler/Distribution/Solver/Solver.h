// The automatic-sharding solver: which strategy each operation of a program takes, so that
// computation and communication cost least and every memory space suffices at every time.
//
// A node has strategies, each with a cost and the bytes that it occupies, in a memory space, over
// a half-open interval of time. An edge adds a cost that depends on the strategies at both its
// ends. One strategy per node is chosen; the sum of all costs is minimised, subject to a limit
// on the bytes that live in each space at each time. Without edges this is a knapsack problem,
// without limits a Markov random field: NP-hard either way, but programs are long and thin, and
// most of their nodes follow from few decisions. Every answer carries a lower bound to judge it by.
//
//     Problem problem;
//     problem.nodes.resize(2);
//     problem.nodes[0].strategies = {{/*cost=*/5}, {/*cost=*/0, {{/*space=*/0, 0, 9, 64}}}};
//     problem.nodes[1].strategies = {{1}, {2}};
//     problem.edges = {{0, 1, {0, 3, 7, 0}}};            // row-major by the first node's strategy
//     problem.limits = {32};                              // bytes, of space 0
//     absl::StatusOr<Solution> solution = solve(problem); // choices {0, 0}, cost 6 = lowerBound
//
// The library knows nothing of MLIR, files or devices; Iopddl.h is a front end to it.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_SOLVER_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_SOLVER_H

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar::solver {

/// A cost of at least this much, on a node or an edge, forbids the choice.
constexpr int64_t kForbidden = 1'000'000'000'000'000'000;

/// Sums of costs; many costs below kForbidden exceed 64 bits.
__extension__ using Cost = __int128;

/// Returns the decimal digits of a cost.
std::string toString(Cost cost);

/// `bytes` of memory space `space`, occupied during [lower, upper). An empty interval occupies
/// nothing. Usages of one strategy may overlap; they add up.
struct Usage {
  int32_t space = 0; // index into Problem::limits
  int64_t lower = 0;
  int64_t upper = 0;
  int64_t bytes = 0; // at least 0
};

struct Strategy {
  int64_t cost = 0; // at least 0
  std::vector<Usage> usages;
};

struct Node {
  std::vector<Strategy> strategies; // at least one
  std::optional<int32_t> pinned;    // the strategy is given
};

/// Adds costs[i * (strategies of second) + j] where `first` takes strategy i and `second` takes j.
/// Several edges may join the same nodes; they add up.
struct Edge {
  int32_t first = 0;
  int32_t second = 0; // another node
  std::vector<int64_t> costs;
};

struct Problem {
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  std::vector<int64_t> limits; // bytes, per memory space
  /// Each class lists nodes with equally many strategies that take the same strategy index.
  std::vector<std::vector<int32_t>> classes;
  /// A known solution to start from, one strategy per node, or empty. The answer costs no more
  /// than it, if it is feasible; if not, it is a hint.
  std::vector<int32_t> start;
};

struct Progress {
  double seconds = 0; // since solve was called
  std::optional<Cost> cost;
  Cost lowerBound = 0;
};

struct Options {
  /// Seconds until the best solution so far is returned, if it is not proved optimal before. Where
  /// the clock stops a search the result depends on the machine's speed; `workLimit` stops it at
  /// the same solution everywhere.
  double timeLimit = 10;
  /// Units of work, a thousand elementary steps each, after which the search ends; a thread does
  /// some 100,000 in a second. Unset: no limit. The reductions are made in any case.
  std::optional<int64_t> workLimit;
  /// Threads that share the search. The solution is the same for any number of them, unless the
  /// clock ends the search.
  int threads = 1;
  /// Called now and then, from the thread that called solve.
  std::function<void(const Progress &)> onProgress;
};

struct Solution {
  /// Whether `choices` is a solution: within the limits, nothing forbidden.
  bool feasible = false;
  std::vector<int32_t> choices; // one strategy per node; empty where none is feasible
  Cost cost = 0;
  Cost lowerBound = 0;           // no solution costs less
  bool provedOptimal = false;    // cost == lowerBound
  bool provedInfeasible = false; // there is no solution
  bool stoppedEarly = false;     // the time or work limit ended the search
  double seconds = 0;            // wall time of solve
  int64_t work = 0;              // units
  /// What the reductions left: decisions that are coupled by costs or by memory.
  int64_t coreNodes = 0, coreEdges = 0, coreRows = 0;
};

/// Returns a solution that has passed verifySolution. An impossible demand (a node without
/// strategies, an edge of the wrong size, a negative cost, classes of unequal nodes) is an
/// InvalidArgument error that names the field as in `edges[17].costs`; having no solution is not.
absl::StatusOr<Solution> solve(const Problem &problem, const Options &options = {});

/// Returns the exact cost of `choices`, computed from the problem alone by code that the solver
/// does not use, or a FailedPrecondition error that names the first violated demand: a pin, a
/// class, a forbidden choice, or the time and space at which memory does not suffice.
absl::StatusOr<Cost> verifySolution(const Problem &problem, const std::vector<int32_t> &choices);

/// Checks what a problem must satisfy before it can be solved; the errors of solve.
absl::Status validateProblem(const Problem &problem);

} // namespace ashlar::solver

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_SOLVER_H
