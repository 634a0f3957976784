// A complete search for a plan within a capacity: "lowest or postponed".
//
// It decides, for one item u after another, whether u lies below all its neighbours that are still
// open (then u rests on what is placed already, and its offset follows), or not (then u is
// postponed until one of them is placed below it). The two cases are disjoint and cover every plan
// in which each item rests on another one or on the floor; some best plan is of that kind. Which u
// to ask about is free: the search may stay where it is tight. In scheduling the scheme is known as
// "schedule or postpone" (Le Pape, Couronne, Vergamini, Gosselin: "Time-versus-capacity
// compromises in project scheduling", 1994), on one machine per section here.
//
// It fails early by three arguments. In each section the open items must be stacked one upon the
// other, none below its release, the lowest offset it can still get: the one-machine bound with
// release dates, exact by taking them in order of release. A postponed item needs an open neighbour
// below it, which raises its release. And where no open neighbour can reach below the top that u
// would have at its lowest offset, u may as well lie there (any plan stays one when u sinks to it):
// it is placed without a choice. When the open items fall apart into groups that share no section,
// each group is solved for itself.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_MEMORY_PLANNER_SEARCH_H
#define ASHLAR_COMPILER_MEMORY_PLANNER_SEARCH_H

#include <atomic>
#include <chrono>

#include "compiler/Memory/Planner/Greedy.h"

namespace ashlar::planner {

/// What the searches of one component share; read-only while they run.
struct SearchSpace {
  const Model &model;
  const OverlapGraph &graph;
  std::vector<int32_t> sectionBegin; // entries of section s: [sectionBegin[s], sectionBegin[s + 1])
  struct Entry {
    int32_t item;
    int64_t lo, hi;
  };
  std::vector<Entry> entries;

  SearchSpace(const Model &model, const OverlapGraph &graph);
};

enum class SearchResult { Found, Exhausted, Stopped };

struct SearchTask {
  int64_t capacity = 0; // bytes
  /// Per item; of items that can lie equally low the one with the largest goes first.
  std::vector<double> priority;
  /// Bytes of release that a byte of slack in the item's tightest section counts for.
  double slackWeight = 0;
  int64_t workLimit = INT64_MAX; // placements
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  const std::atomic<bool> *cancelled = nullptr;
};

struct SearchOutcome {
  SearchResult result = SearchResult::Stopped;
  std::vector<int64_t> offsets;  // when found
  std::vector<int64_t> failures; // per section: how often it could not hold its items
  int64_t work = 0;              // placements tried
};

/// Searches for offsets of `items` (sections and overlaps with others are ignored) with a peak of
/// at most `task.capacity`. Exhausted is a proof that there are none where the model is exact.
SearchOutcome search(const SearchSpace &space, const std::vector<int32_t> &items,
                     const SearchTask &task);

} // namespace ashlar::planner

#endif // ASHLAR_COMPILER_MEMORY_PLANNER_SEARCH_H
