// Plans in near-linear time: what most programs need, and where the search starts.
//
// Programs mostly free in the reverse order of their allocation, or soon after it; for them one of
// these orders usually meets the bound. Where none does, the search (Search.h) goes on.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_MEMORY_PLANNER_GREEDY_H
#define ASHLAR_COMPILER_MEMORY_PLANNER_GREEDY_H

#include "compiler/Memory/Planner/Model.h"

namespace ashlar::planner {

/// Another item that lives at the same time, and how far apart their offsets must be.
struct Overlap {
  int32_t item;
  int64_t above; // at least these bytes from this item's offset up to the other's, if that is above
  int64_t below; // at least these bytes from the other's offset up to this item's, if that is above
};

/// All pairs that live at the same time: the overlaps of item k are list[i] for i in
/// [begin[k], begin[k + 1]).
struct OverlapGraph {
  std::vector<int64_t> begin;
  std::vector<Overlap> list;
};

/// Returns the graph, or nothing when it has more than `limit` pairs.
std::optional<OverlapGraph> buildOverlaps(const Model &model, int64_t limit);

/// Goes through time, forward or backward, and gives each item the smallest free block that holds
/// it. Needs O(n log n) steps; items with a fixed offset are not understood. Shapes count as their
/// bounding box.
std::vector<int64_t> bestFitByTime(const Model &model, bool backward);

/// Puts each item, in the given order, upon everything that was placed before during its life: no
/// hole is filled, O(n log n) steps. Fixed items must come first in the order.
std::vector<int64_t> pile(const Model &model, const std::vector<int32_t> &order);

/// Gives each item, in the given order, the lowest free address: O(pairs log pairs) steps. Fixed
/// items must come first in the order.
std::vector<int64_t> firstFit(const Model &model, const OverlapGraph &graph,
                              const std::vector<int32_t> &order);

/// The orders that are tried, fixed items first in each.
enum class Order { LongestFirst, LargestFirst, AreaFirst, ByTime, ByHint };
std::vector<int32_t> makeOrder(const Model &model, Order order);

/// Returns the best plan of all the above, in items' offsets. Stops at the first one with a peak of
/// at most `enough`.
std::vector<int64_t> greedyPlan(const Model &model, const OverlapGraph *graph, int64_t enough);

} // namespace ashlar::planner

#endif // ASHLAR_COMPILER_MEMORY_PLANNER_GREEDY_H
