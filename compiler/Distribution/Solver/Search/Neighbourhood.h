// Large-neighbourhood search: improves a solution by deciding some variables anew at a time.
//
// A neighbourhood is a connected group around a seed, or variables that share a tight row of
// memory and what hangs together with them; Search.h solves it, exactly where that is cheap. Work
// is dealt out in rounds of a fixed number of neighbourhoods, all described before the round
// begins and adopted in their order afterwards as far as they still improve. Threads therefore
// change how long a round takes and nothing else.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_SEARCH_NEIGHBOURHOOD_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_SEARCH_NEIGHBOURHOOD_H

#include <chrono>

#include "compiler/Distribution/Solver/Search/Search.h"

namespace ashlar::solver::detail {

struct ImproveOptions {
  int threads = 1;
  int64_t workLimit = INT64_MAX; // as SearchResult::work
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  Cost enough = 0;            // stop at a solution of this cost
  std::vector<double> prices; // per row of the core, to start from
  uint64_t seed = 0;
  /// So many neighbourhoods are first solved with one variable forced to change, and adopted
  /// although they cost more: a way out of a local optimum.
  int kicks = 0;
};

/// Improves `state` until the limits are reached or nothing has helped for long; or, if it is no
/// solution, until it is one.
/// Returns the work.
int64_t improve(const Core &core, State &state, const ImproveOptions &options);

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_SEARCH_NEIGHBOURHOOD_H
