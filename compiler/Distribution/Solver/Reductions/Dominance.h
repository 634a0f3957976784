// Which strategies of a variable another one makes superfluous.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_REDUCTIONS_DOMINANCE_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_REDUCTIONS_DOMINANCE_H

#include "compiler/Distribution/Solver/Problem/Graph.h"

namespace ashlar::solver::detail {

class Dominance {
public:
  explicit Dominance(Graph &graph) : graph(graph) {}

  /// Returns the strategies of v that are left, in order, when each one goes for which another
  /// costs no more in any surrounding and uses no more. The links of v must be split. What is
  /// found about costs serves all variables with the same costs and links.
  std::vector<int32_t> undominated(int32_t v);

  int64_t work = 0; // elementary steps made so far

private:
  struct Comparison {
    std::vector<int8_t> cheaper; // [size * i + j]: whether i costs no more than j; -1: not known
    std::vector<int32_t> kept;   // without usage: what is left, once it is known
  };
  bool costsNoMore(const Variable &variable, const std::vector<const Matrix *> &matrices, int32_t i,
                   int32_t j);

  Graph &graph;
  std::map<std::vector<MatrixId>, Comparison> comparisons; // by links and costs
};

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_REDUCTIONS_DOMINANCE_H
