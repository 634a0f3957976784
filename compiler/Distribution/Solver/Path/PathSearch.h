// The search of long, narrow problems, such as programs of many equal layers: prices for the rows
// of memory that do not fit into the tables of a path, and labels that keep to them.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_PATHSEARCH_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_PATHSEARCH_H

#include "compiler/Distribution/Solver/Search/Search.h"

namespace ashlar::solver::detail {

/// Looks for choices that cost less than `upper`. Of the options, mostWork limits all of it, and
/// mostEntries what exact rows may make of a table.
/// Nothing is done, and no bound returned, where the problem is too wide.
SearchResult searchPath(const Subproblem &problem, Cost upper, const SearchOptions &options);

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_PATHSEARCH_H
