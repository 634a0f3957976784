// Many searches for one component: different priorities that learn from failures, the same result
// for any number of threads.
//
// Work is dealt out in rounds of a fixed number of chains. A chain restarts one search several
// times; the sections that could not hold their items weigh more in the priorities of the next
// restart (as in the weighted-degree heuristic: Boussemart, Hemery, Lecoutre, Sais, "Boosting
// systematic search by weighting constraints", 2004). A chain is fully described before its round
// begins: the plan to improve, priorities, budget. All chains up to the first conclusive one (by
// index, not by time) count, and that one cancels only those behind it. Threads therefore change
// how long a round takes and nothing else.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_MEMORY_PLANNER_PORTFOLIO_H
#define ASHLAR_COMPILER_MEMORY_PLANNER_PORTFOLIO_H

#include "compiler/Memory/Planner/Search.h"

namespace ashlar::planner {

struct PortfolioOptions {
  int threads = 1;
  int64_t workLimit = INT64_MAX; // placements, all chains together
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

struct PortfolioResult {
  /// The best plan, as in `start` where none is better; only `items` have changed.
  std::vector<int64_t> offsets;
  int64_t peak = 0; // bytes, of `items`
  /// Bytes. No plan is below it, as far as exhausted searches could tell (see Model::exact).
  int64_t lowerBound = 0;
  bool stopped = false; // by the limits
  int64_t work = 0;     // placements
};

/// Improves the plan `start` of the component `items` until its peak is at most `enough`, or no
/// better one exists, or the limits are reached. With `fit`, only plans of at most `enough` are of
/// interest; otherwise every better one is.
PortfolioResult improve(const SearchSpace &space, const std::vector<int32_t> &items,
                        std::vector<int64_t> start, int64_t enough, bool fit,
                        const PortfolioOptions &options);

/// Cuts the items into components that share no section. Items that never live are left out.
std::vector<std::vector<int32_t>> components(const Model &model);

} // namespace ashlar::planner

#endif // ASHLAR_COMPILER_MEMORY_PLANNER_PORTFOLIO_H
