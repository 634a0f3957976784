// Branch and bound on a subproblem, under Lagrangian prices of memory.
//
// The rows of memory are relaxed: a byte in row r costs price[r] >= 0, and room[r] bytes are paid
// back. What Buckets finds for these costs is a lower bound for any prices (Held and Karp, 1970);
// subgradient steps raise it. The tables of the best prices guide a depth-first search, which keeps
// to the rows, takes the most promising strategy first and prunes by the bound.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_SEARCH_SEARCH_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_SEARCH_SEARCH_H

#include <functional>

#include "compiler/Distribution/Solver/Bounds/Buckets.h"

namespace ashlar::solver::detail {

struct SearchOptions {
  int64_t mostEntries = 1 << 16; // of one table
  int64_t mostWork = INT64_MAX;  // of one computation of all tables; beyond, the tables get smaller
  int iterations = 10;           // of the prices
  int64_t steps = 1000;          // of one depth-first search
  std::function<bool()> stop = [] { return false; };
};

struct SearchResult {
  bool improved = false;
  std::vector<int32_t> choices; // per member, if improved
  Cost cost = 0;                // as Subproblem::costOf
  double bound = -kInfinite;    // no choices within the rows cost less; rounding is allowed for
  bool exhausted = false;       // nothing else below the result, or below `upper`, exists
  std::vector<double> prices;   // per row; the best found
  int64_t work = 0;             // combinations and steps
};

/// Looks for choices that cost less than `upper`, from the given prices on (empty: all 0).
SearchResult search(const Subproblem &problem, Cost upper, std::vector<double> prices,
                    const SearchOptions &options);

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_SEARCH_SEARCH_H
