// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Memory/Planner/Search.h"

#include <algorithm>

namespace ashlar::planner {
namespace {

class Searcher {
public:
  Searcher(const SearchSpace &space, const SearchTask &task)
      : model(space.model), graph(space.graph), space(space), task(task), state(model.items.size()),
        floor(model.numSections(), 0), openIn(model.numSections(), 0),
        riseOf(model.numSections(), 0), estimate(model.numSections(), 0),
        failures(model.numSections(), 0) {
    slots.reserve(space.entries.size());
    for (const SearchSpace::Entry &entry : space.entries)
      slots.push_back({0, entry.lo, entry.hi - entry.lo, entry.item});
  }

  SearchOutcome run(std::vector<int32_t> group) {
    for (int32_t k : group) {
      const Item &item = model.items[k];
      state[k].open = true;
      state[k].support = item.alignUp(0);
      state[k].release = item.fixed >= 0 ? item.fixed : item.alignUp(0);
    }
    std::sort(group.begin(), group.end(), [&](int32_t a, int32_t b) {
      return std::pair(model.items[a].first, a) < std::pair(model.items[b].first, b);
    });
    for (int32_t k : group)
      for (int32_t r = model.items[k].rectBegin; r < model.items[k].rectEnd; ++r)
        for (int32_t s = model.rects[r].first; s < model.rects[r].last; ++s)
          ++openIn[s];
    for (int32_t k : group)
      touch(k, task.capacity + 1); // nothing is known yet
    SearchOutcome outcome;
    outcome.result = SearchResult::Exhausted;
    if (sectionsHold())
      outcome.result = solve(group);
    outcome.work = work;
    outcome.failures = std::move(failures);
    if (outcome.result == SearchResult::Found) {
      outcome.offsets.assign(model.items.size(), 0);
      for (int32_t k : group)
        outcome.offsets[k] = state[k].offset;
    }
    return outcome;
  }

private:
  struct ItemState {
    int64_t support = 0; // bytes; the top of what is placed below, aligned
    int64_t release = 0; // bytes; no plan in this subtree has the item lower
    int64_t offset = 0;  // where it is placed, once it is no longer open
    bool open = false;
    bool postponed = false; // an open neighbour must come below it
  };
  struct Slot {
    int64_t key;
    int64_t lo;
    int64_t bytes;
    int32_t item;
  };
  struct Change {
    int32_t item; // or, below zero, ~section
    bool postponed;
    int64_t support;
    int64_t release; // or the section's floor
  };

  void save(int32_t k) {
    trail.push_back({k, state[k].postponed, state[k].support, state[k].release});
  }

  /// Marks the item's sections for the next check, after its release rose by some bytes.
  void touch(int32_t k, int64_t rise) {
    const Item &item = model.items[k];
    for (int32_t r = item.rectBegin; r < item.rectEnd; ++r)
      for (int32_t s = model.rects[r].first; s < model.rects[r].last; ++s) {
        if (riseOf[s] == 0)
          touched.push_back(s);
        riseOf[s] = std::max(riseOf[s], rise);
      }
  }

  /// Stacks the open items of a section in order of release. The order of the last visit is nearly
  /// right still, so that an insertion sort repairs it in one pass; what is no longer open gathers
  /// behind.
  bool sectionHolds(int32_t s) {
    Slot *begin = slots.data() + space.sectionBegin[s], *slot = begin;
    for (int32_t left = openIn[s]; left > 0; ++slot) {
      const ItemState &own = state[slot->item];
      slot->key = own.open ? own.release + slot->lo : INT64_MAX;
      left -= own.open;
      if (slot == begin || slot[-1].key <= slot->key)
        continue;
      Slot moved = *slot, *to = slot;
      for (; to != begin && to[-1].key > moved.key; --to)
        *to = to[-1];
      *to = moved;
    }
    int64_t top = floor[s];
    for (slot = begin; slot != begin + openIn[s]; ++slot)
      top = std::max(top, slot->key) + slot->bytes;
    estimate[s] = std::min(top, task.capacity + 1);
    return top <= task.capacity;
  }

  /// Checks the touched sections. A stack rises by no more than the largest rise of a release in
  /// it, so that most sections need no new look; going back in the search lowers stacks, which
  /// leaves the estimates valid.
  bool sectionsHold() {
    bool hold = true;
    if (riseOf[lastFailed] > 0 && estimate[lastFailed] + riseOf[lastFailed] > task.capacity)
      if (!(hold = sectionHolds(lastFailed))) // it probably fails again
        ++failures[lastFailed];
    for (int32_t s : touched) {
      estimate[s] =
          std::min(estimate[s] + riseOf[s], task.capacity + 1); // above the capacity all are alike
      riseOf[s] = 0;
      if (!hold || estimate[s] <= task.capacity || sectionHolds(s))
        continue;
      hold = false;
      ++failures[s];
      lastFailed = s;
    }
    touched.clear();
    return hold;
  }

  void forgetTouched() {
    for (int32_t s : touched)
      riseOf[s] = 0;
    touched.clear();
  }

  /// Puts an open item below all its open neighbours. Returns false where that cannot be.
  bool place(int32_t k) {
    const Item &item = model.items[k];
    ++work;
    ItemState &own = state[k];
    if (item.fixed >= 0 && own.support > item.fixed)
      return false;
    own.offset = item.fixed >= 0 ? item.fixed : own.support;
    own.open = false;
    if (own.offset + item.height > task.capacity)
      return false;
    for (int32_t r = item.rectBegin; r < item.rectEnd; ++r) {
      const Rect &rect = model.rects[r];
      for (int32_t s = rect.first; s < rect.last; ++s) {
        trail.push_back({~s, false, 0, floor[s]});
        floor[s] = std::max(floor[s], own.offset + rect.hi);
        --openIn[s];
      }
    }
    for (int64_t i = graph.begin[k]; i < graph.begin[k + 1]; ++i) {
      const Overlap &overlap = graph.list[i];
      ItemState &other = state[overlap.item];
      if (!other.open)
        continue;
      const Item &upper = model.items[overlap.item];
      int64_t support = std::max(other.support, upper.alignUp(own.offset + overlap.above));
      int64_t release = std::max(other.release, support);
      if (support == other.support && release == other.release && !other.postponed)
        continue;
      if (upper.fixed >= 0 && release > upper.fixed)
        return false;
      save(overlap.item);
      if (release > other.release)
        touch(overlap.item, release - other.release);
      other = {support, release, 0, true, false};
    }
    return sectionsHold();
  }

  /// Demands an open neighbour below an open item. Returns false where there cannot be one.
  bool postpone(int32_t k) {
    const Item &item = model.items[k];
    int64_t lowest = lowestAbove(k);
    if (lowest == INT64_MAX || (item.fixed >= 0 && lowest > item.fixed))
      return false;
    save(k);
    state[k].postponed = true;
    if (lowest > state[k].release) {
      lowest = item.alignUp(lowest);
      touch(k, lowest - state[k].release);
      state[k].release = lowest;
    }
    return sectionsHold();
  }

  /// The lowest top of an open neighbour, seen from k.
  int64_t lowestAbove(int32_t k) const {
    int64_t lowest = INT64_MAX;
    for (int64_t i = graph.begin[k]; i < graph.begin[k + 1]; ++i) {
      const Overlap &overlap = graph.list[i];
      if (state[overlap.item].open)
        lowest = std::min(lowest, state[overlap.item].release + overlap.below);
    }
    return lowest;
  }

  /// Whether no open neighbour can reach below the top that k has at its lowest offset.
  bool isFree(int32_t k) const {
    if (!model.exact)
      return false;
    int64_t top = state[k].release + model.items[k].height;
    for (int64_t i = graph.begin[k]; i < graph.begin[k + 1]; ++i) {
      const ItemState &other = state[graph.list[i].item];
      if (other.open && other.release < top)
        return false;
    }
    return true;
  }

  void undo(size_t mark) {
    while (trail.size() > mark) {
      const Change &change = trail.back();
      if (change.item < 0) {
        floor[~change.item] = change.release;
        ++openIn[~change.item];
      } else {
        state[change.item].support = change.support;
        state[change.item].release = change.release;
        state[change.item].postponed = change.postponed;
      }
      trail.pop_back();
    }
    forgetTouched();
  }

  /// The least bytes that a section of the item can still waste.
  int64_t slackOf(const Item &item) const {
    int64_t highest = 0;
    for (int32_t r = item.rectBegin; r < item.rectEnd; ++r)
      for (int32_t s = model.rects[r].first; s < model.rects[r].last; ++s)
        highest = std::max(highest, estimate[s]);
    return std::max<int64_t>(0, task.capacity - highest);
  }

  /// Chooses the item to decide about, or -1 where every open one is postponed: one that can lie
  /// low, in a section that has little to waste.
  int32_t choose(const std::vector<int32_t> &group) const {
    int32_t best = -1;
    double bestScore = 0;
    for (int32_t k : group) {
      double score = double(state[k].release);
      if (state[k].postponed || (best >= 0 && score > bestScore))
        continue;
      if (task.slackWeight > 0)
        score += task.slackWeight * double(slackOf(model.items[k]));
      if (best < 0 || score < bestScore ||
          (score == bestScore && task.priority[k] > task.priority[best])) {
        best = k;
        bestScore = score;
      }
    }
    return best;
  }

  bool stopped() {
    if (work >= task.workLimit)
      return true;
    if ((++ticks & 7) != 0)
      return false;
    return (task.cancelled && task.cancelled->load(std::memory_order_relaxed)) ||
           std::chrono::steady_clock::now() > task.deadline;
  }

  /// Solves the group, whose items are open and ordered by their first section.
  SearchResult solve(const std::vector<int32_t> &group) {
    size_t begin = 0;
    int32_t last = -1;
    bool split = false;
    for (size_t i = 0; i <= group.size(); ++i) {
      bool ends = i == group.size() || (i > begin && model.items[group[i]].first >= last);
      if (ends && i > begin) {
        if (i == group.size() && !split)
          return decide(group);
        split = true;
        SearchResult result =
            decide(std::vector<int32_t>(group.begin() + begin, group.begin() + i));
        if (result != SearchResult::Found) {
          // What was placed for the groups before this one is undone by the caller.
          for (size_t j = 0; j < begin; ++j)
            state[group[j]].open = true;
          return result;
        }
        begin = i;
      }
      if (i < group.size())
        last = std::max(last, model.items[group[i]].last);
    }
    return SearchResult::Found;
  }

  SearchResult decide(const std::vector<int32_t> &group) {
    const size_t mark = trail.size();
    SearchResult result = SearchResult::Exhausted;
    while (true) {
      if (stopped()) {
        result = SearchResult::Stopped;
        break;
      }
      int32_t k = choose(group);
      if (k < 0)
        break;
      const size_t before = trail.size();
      const bool isForced = isFree(k);
      if (place(k)) {
        std::vector<int32_t> rest;
        rest.reserve(group.size());
        for (int32_t other : group)
          if (other != k)
            rest.push_back(other);
        result = solve(rest);
        if (result == SearchResult::Found)
          return result;
      }
      undo(before);
      state[k].open = true;
      if (result == SearchResult::Stopped || isForced || !postpone(k))
        break;
    }
    undo(mark);
    return result;
  }

  const Model &model;
  const OverlapGraph &graph;
  const SearchSpace &space;
  const SearchTask &task;
  std::vector<ItemState> state;
  std::vector<int64_t> floor;  // per section: the highest end of what is placed
  std::vector<int32_t> openIn; // per section: how many of its items are open
  std::vector<Change> trail;
  std::vector<int64_t> riseOf;   // per section: what touch() has noted since the last check
  std::vector<int64_t> estimate; // per section: not below what its open items' stack ends at
  std::vector<int64_t> failures;
  std::vector<int32_t> touched;
  std::vector<Slot> slots; // per section its items by release
  int32_t lastFailed = 0;  // section
  int64_t work = 0;
  int64_t ticks = 0;
};

} // namespace

SearchSpace::SearchSpace(const Model &model, const OverlapGraph &graph)
    : model(model), graph(graph) {
  sectionBegin.assign(model.numSections() + 1, 0);
  for (const Rect &rect : model.rects)
    for (int32_t s = rect.first; s < rect.last; ++s)
      ++sectionBegin[s + 1];
  for (int s = 0; s < model.numSections(); ++s)
    sectionBegin[s + 1] += sectionBegin[s];
  entries.resize(sectionBegin.back());
  std::vector<int32_t> at(sectionBegin.begin(), sectionBegin.end() - 1);
  for (size_t k = 0; k < model.items.size(); ++k)
    for (int32_t r = model.items[k].rectBegin; r < model.items[k].rectEnd; ++r)
      for (int32_t s = model.rects[r].first; s < model.rects[r].last; ++s)
        entries[at[s]++] = {int32_t(k), model.rects[r].lo, model.rects[r].hi};
}

SearchOutcome search(const SearchSpace &space, const std::vector<int32_t> &items,
                     const SearchTask &task) {
  return Searcher(space, task).run(items);
}

} // namespace ashlar::planner
