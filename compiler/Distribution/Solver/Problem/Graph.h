// The problem as the solver works on it: variables, links between them, rows of memory; and the
// trail that leads from a solution of what is left back to one of the problem.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_GRAPH_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_GRAPH_H

#include <memory>

#include "compiler/Distribution/Solver/Problem/Matrix.h"
#include "compiler/Distribution/Solver/Problem/Profile.h"

namespace ashlar::solver::detail {

struct Variable {
  std::vector<Cost> costs;     // per strategy
  std::vector<Profile> usages; // per strategy, or empty: no strategy uses memory
  std::vector<int32_t> links;  // those it has or had
  bool alive = true;

  int32_t size() const { return int32_t(costs.size()); }
};

/// The costs between two variables, row-major by the first.
struct Link {
  int32_t first;
  int32_t second;
  MatrixId costs;
  bool alive = true;

  int32_t other(int32_t variable) const { return variable == first ? second : first; }
};

/// Says that `variable` takes map[columns * (choice of a) + (choice of b)], where an absent
/// variable counts as choice 0. `a` may be the variable itself, when its strategies were
/// renumbered.
struct Deduction {
  int32_t variable;
  int32_t a = -1;
  int32_t b = -1;
  int32_t columns = 1;
  std::shared_ptr<const std::vector<int32_t>> map;
};

struct Graph {
  MatrixPool pool;
  std::vector<Variable> variables; // one per node of the problem, some not alive
  std::vector<Link> links;
  std::vector<int64_t> limits; // bytes, per row, for what the variables' usages say
  Cost constant = 0;           // what every solution costs beside
  bool infeasible = false;
  std::vector<Deduction> trail;

  /// Returns the costs of a link with the rows for `variable`, one of its ends.
  MatrixId costsSeenFrom(int32_t link, int32_t variable) {
    const Link &it = links[size_t(link)];
    return it.first == variable ? it.costs : pool.transpose(it.costs);
  }
  int32_t addLink(int32_t first, int32_t second, MatrixId costs);

  void deduce(int32_t variable, int32_t a, int32_t b, int32_t columns, std::vector<int32_t> map) {
    trail.push_back(
        {variable, a, b, columns, std::make_shared<std::vector<int32_t>>(std::move(map))});
  }
  /// Completes the choices of the living variables to those of all nodes of the problem.
  void expand(std::vector<int32_t> &choices) const;
  /// The reverse for as much as it can be told: the choices of living variables that expand to
  /// `choices`, or -1 where a strategy was dropped.
  std::vector<int32_t> restrict(const std::vector<int32_t> &choices) const;
};

/// Builds the graph of a problem that validateProblem accepts: classes become one variable, pinned
/// and forbidden strategies go, time becomes rows.
Graph buildGraph(const Problem &problem);

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_GRAPH_H
