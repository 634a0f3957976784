// Some variables of the core to be decided anew while the others keep their choices. With all
// variables it is the core itself.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_SUBPROBLEM_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_SUBPROBLEM_H

#include "compiler/Distribution/Solver/Problem/Core.h"

namespace ashlar::solver::detail {

/// Choices for the core and what follows from them.
struct State {
  std::vector<int32_t> choices; // per variable of the core
  std::vector<int64_t> slack;   // per row; where it is negative the choices are no solution yet
  Cost cost = 0;
  /// While the choices are no solution: rows, in order, in which each byte costs `penalty`.
  std::vector<int32_t> penalised;
  double penalty = 0;
};

struct Subproblem {
  struct Pair {
    int32_t a, b;        // indices of members
    const double *ab;    // a row per strategy of a
    const double *ba;    // a row per strategy of b
    const Matrix *exact; // a row per strategy of a
  };
  std::vector<int32_t> members; // variables of the core
  std::vector<int32_t> offsets; // per member, of its strategies
  std::vector<double> unary;    // per strategy; the links to fixed variables included
  std::vector<Cost> exactUnary;
  std::vector<Pair> pairs;
  std::vector<std::pair<int32_t, int32_t>> spansOf; // per strategy: the range of its spans
  std::vector<Span> spans;                          // in rows of the subproblem
  std::vector<int64_t> room;                        // per row of the subproblem
  std::vector<std::pair<int32_t, int32_t>> rowsOf;  // per row: the rows of the core that it covers
  double rounding = 0;

  int32_t size() const { return int32_t(members.size()); }
  int32_t strategies(int32_t m) const { return offsets[size_t(m) + 1] - offsets[size_t(m)]; }
  /// Returns the exact cost of the members' choices and of their links.
  Cost costOf(const std::vector<int32_t> &choices) const;
};

/// Frees the listed variables, all different, in `state`. Rows that they cannot exceed are left
/// out, and rows that they cannot tell apart are joined. While some rows
/// are penalised the members may use in an exceeded row what they use now.
Subproblem makeSubproblem(const Core &core, const State &state, std::vector<int32_t> members);

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_SUBPROBLEM_H
