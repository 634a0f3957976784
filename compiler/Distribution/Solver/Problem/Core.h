// What the reductions leave, laid out for search: costs in double precision for guidance, the exact
// ones beside them for decisions.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_CORE_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_CORE_H

#include <limits>

#include "compiler/Distribution/Solver/Problem/Graph.h"

namespace ashlar::solver::detail {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

class Core {
public:
  /// A link as seen from one of its ends, v: the costs have a row per strategy of `other` and a
  /// column per strategy of v.
  struct Neighbour {
    int32_t other;
    int32_t back; // which of the neighbours of `other` v is
    const double *costs;
    const Matrix *exact;
  };
  /// Takes over the living variables of a reduced graph, which must stay as it is.
  explicit Core(Graph &graph);

  int32_t size() const { return int32_t(variables.size()); }
  int32_t strategies(int32_t v) const { return offsets[size_t(v) + 1] - offsets[size_t(v)]; }
  const double *unary(int32_t v) const { return costs.data() + offsets[size_t(v)]; }
  const std::vector<Profile> &usages(int32_t v) const { return source(v).usages; }
  const Variable &source(int32_t v) const { return graph.variables[size_t(variables[size_t(v)])]; }
  int32_t rows() const { return int32_t(graph.limits.size()); }

  /// Returns the exact cost, the graph's constant included; kInfinity if something is forbidden.
  Cost costOf(const std::vector<int32_t> &choices) const;
  /// Returns the limits less the usage of the choices, per row.
  std::vector<int64_t> slackOf(const std::vector<int32_t> &choices) const;
  /// Returns the choices of all nodes of the problem.
  std::vector<int32_t> expand(const std::vector<int32_t> &choices) const;
  /// Returns the choices that expand to `full`, -1 where there is none.
  std::vector<int32_t> restrict(const std::vector<int32_t> &full) const;

  Graph &graph;
  std::vector<int32_t> variables; // of the graph, per variable here
  std::vector<int32_t> offsets;   // into costs
  std::vector<double> costs;
  std::vector<std::vector<Neighbour>> neighbours;
  double mostCost = 0; // no choices that are allowed cost more, the constant left out
  /// Bound on the rounding error of a sum of costs.
  double rounding = 0;

private:
  std::vector<std::vector<double>> matrices; // per id, where used
};

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_CORE_H
