// Reductions that keep the optimum, under the memory constraint too.
//
// Applied until none applies:
//   - costs common to all strategies move from links to variables and from variables to a constant;
//     a link without costs goes, and components come apart;
//   - usage common to all strategies is taken off the limits, rows that can no longer be exceeded
//     go, and so do rows that demand no more than a neighbour;
//   - a strategy goes that is forbidden, unsupported by some neighbour, does not fit, or is
//     dominated: another one never costs more, whatever the neighbours take, and uses no more;
//   - parallel links are added;
//   - a variable whose choice follows from a neighbour's is merged into it: because the link
//   between
//     them allows one choice only, or the variable is a leaf and all others are dominated;
//   - a variable without usage and with at most two neighbours is eliminated.
//
// Equal computations are made once (MatrixPool), and variables are eliminated in rounds that leave
// out their neighbours, so that a chain of n equal layers takes the work of log n.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_REDUCTIONS_REDUCE_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_REDUCTIONS_REDUCE_H

#include <chrono>

#include "compiler/Distribution/Solver/Problem/Graph.h"

namespace ashlar::solver::detail {

/// Reduces the graph in place, until the deadline at most; sets `infeasible` where it meets a
/// contradiction. Returns the work, in elementary steps.
int64_t reduce(Graph &graph, std::chrono::steady_clock::time_point deadline =
                                 std::chrono::steady_clock::time_point::max());

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_REDUCTIONS_REDUCE_H
