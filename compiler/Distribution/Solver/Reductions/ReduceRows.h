// The rows of memory that matter.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_REDUCTIONS_REDUCEROWS_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_REDUCTIONS_REDUCEROWS_H

#include "compiler/Distribution/Solver/Problem/Graph.h"

namespace ashlar::solver::detail {

/// Forbids the strategies that do not fit beside what all others use at least, drops the rows that
/// cannot be exceeded or demand no more than a neighbour, and renumbers the rest. Marks in `dirty`
/// the variables that this changed and returns whether there are any.
bool reduceRows(Graph &graph, std::vector<char> &dirty);

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_REDUCTIONS_REDUCEROWS_H
