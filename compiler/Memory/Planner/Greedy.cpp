// Best fit along time, piles by order, first fit by order.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Memory/Planner/Greedy.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

namespace ashlar::planner {
namespace {

/// Free blocks below the top of an arena that grows.
class FreeList {
public:
  int64_t allocate(const Item &item) {
    // Only blocks that are smaller than alignment and height together can be in vain.
    for (auto it = bySize.lower_bound({item.height, 0}); it != bySize.end(); ++it) {
      int64_t begin = it->second, end = begin + it->first, offset = item.alignUp(begin);
      if (offset + item.height > end)
        continue;
      remove(begin, end);
      insert(begin, offset);
      insert(offset + item.height, end);
      return offset;
    }
    int64_t begin = top;
    if (!byOffset.empty() && byOffset.rbegin()->second == top)
      begin = byOffset.rbegin()->first;
    int64_t offset = item.alignUp(begin);
    if (begin < top)
      remove(begin, top);
    insert(begin, offset);
    top = offset + item.height;
    return offset;
  }

  void release(int64_t begin, int64_t end) {
    auto after = byOffset.lower_bound(begin);
    if (after != byOffset.end() && after->first == end) {
      end = after->second;
      remove(after->first, after->second);
    }
    auto next = byOffset.lower_bound(begin);
    if (next != byOffset.begin() && std::prev(next)->second == begin) {
      begin = std::prev(next)->first;
      remove(begin, std::prev(next)->second);
    }
    insert(begin, end);
  }

private:
  void insert(int64_t begin, int64_t end) {
    if (begin == end)
      return;
    byOffset[begin] = end;
    bySize.insert({end - begin, begin});
  }
  void remove(int64_t begin, int64_t end) {
    byOffset.erase(begin);
    bySize.erase({end - begin, begin});
  }

  std::map<int64_t, int64_t> byOffset;
  std::set<std::pair<int64_t, int64_t>> bySize;
  int64_t top = 0;
};

/// A tree over sections that raises a range to at least a value and asks for a range's maximum.
class Skyline {
public:
  explicit Skyline(int sections) {
    while (leaves < sections)
      leaves *= 2;
    inner.assign(2 * leaves, 0);
    whole.assign(2 * leaves, 0);
  }
  int64_t highest(int first, int last) const { return highest(1, 0, leaves, first, last); }
  void raise(int first, int last, int64_t height) { raise(1, 0, leaves, first, last, height); }

private:
  int64_t highest(int node, int begin, int end, int first, int last) const {
    if (last <= begin || end <= first)
      return 0;
    if (first <= begin && end <= last)
      return inner[node];
    int middle = (begin + end) / 2;
    return std::max({whole[node], highest(2 * node, begin, middle, first, last),
                     highest(2 * node + 1, middle, end, first, last)});
  }
  void raise(int node, int begin, int end, int first, int last, int64_t height) {
    if (last <= begin || end <= first)
      return;
    inner[node] = std::max(inner[node], height);
    if (first <= begin && end <= last) {
      whole[node] = std::max(whole[node], height);
      return;
    }
    int middle = (begin + end) / 2;
    raise(2 * node, begin, middle, first, last, height);
    raise(2 * node + 1, middle, end, first, last, height);
  }

  int leaves = 1;
  std::vector<int64_t> inner; // the maximum within a node's range
  std::vector<int64_t> whole; // the part of it that covers the whole range
};

bool hasFixed(const Model &model) {
  return std::any_of(model.items.begin(), model.items.end(),
                     [](const Item &item) { return item.fixed >= 0; });
}

} // namespace

std::vector<int64_t> bestFitByTime(const Model &model, bool backward) {
  struct Event {
    int64_t time; // twice the section; what ends behind a section does so before the next begins
    int32_t item;
    bool begins;
  };
  std::vector<Event> events;
  events.reserve(2 * model.items.size());
  std::vector<int64_t> offsets(model.items.size(), 0);
  for (size_t k = 0; k < model.items.size(); ++k) {
    const Item &item = model.items[k];
    offsets[k] = item.alignUp(0);
    if (item.rectBegin == item.rectEnd)
      continue;
    int64_t first = backward ? -int64_t(item.last) : item.first;
    int64_t last = backward ? -int64_t(item.first) : item.last;
    events.push_back({first, int32_t(k), true});
    events.push_back({last, int32_t(k), false});
  }
  // Of those that begin together the long-lived and the large go first.
  auto length = [&](int32_t k) { return model.items[k].last - model.items[k].first; };
  std::sort(events.begin(), events.end(), [&](const Event &a, const Event &b) {
    if (a.time != b.time || a.begins != b.begins)
      return a.time != b.time ? a.time < b.time : a.begins < b.begins;
    if (length(a.item) != length(b.item))
      return length(a.item) > length(b.item);
    if (model.items[a.item].height != model.items[b.item].height)
      return model.items[a.item].height > model.items[b.item].height;
    return a.item < b.item;
  });
  FreeList free;
  for (const Event &event : events) {
    const Item &item = model.items[event.item];
    if (event.begins)
      offsets[event.item] = free.allocate(item);
    else
      free.release(offsets[event.item], offsets[event.item] + item.height);
  }
  return offsets;
}

std::vector<int64_t> pile(const Model &model, const std::vector<int32_t> &order) {
  Skyline skyline(model.numSections());
  std::vector<int64_t> offsets(model.items.size(), 0);
  for (int32_t k : order) {
    const Item &item = model.items[k];
    int64_t offset = 0;
    for (int32_t r = item.rectBegin; r < item.rectEnd; ++r)
      offset = std::max(offset, skyline.highest(model.rects[r].first, model.rects[r].last) -
                                    model.rects[r].lo);
    offsets[k] = item.fixed >= 0 ? item.fixed : item.alignUp(offset);
    for (int32_t r = item.rectBegin; r < item.rectEnd; ++r)
      skyline.raise(model.rects[r].first, model.rects[r].last, offsets[k] + model.rects[r].hi);
  }
  return offsets;
}

std::vector<int64_t> firstFit(const Model &model, const OverlapGraph &graph,
                              const std::vector<int32_t> &order) {
  std::vector<int64_t> offsets(model.items.size(), -1);
  std::vector<std::pair<int64_t, int64_t>> taken; // offsets in (first, second) are forbidden
  for (int32_t k : order) {
    const Item &item = model.items[k];
    if (item.fixed >= 0) {
      offsets[k] = item.fixed;
      continue;
    }
    taken.clear();
    for (int64_t i = graph.begin[k]; i < graph.begin[k + 1]; ++i) {
      const Overlap &overlap = graph.list[i];
      if (offsets[overlap.item] >= 0)
        taken.push_back(
            {offsets[overlap.item] - overlap.above, offsets[overlap.item] + overlap.below});
    }
    std::sort(taken.begin(), taken.end());
    int64_t offset = item.alignUp(0);
    for (const auto &[low, high] : taken) {
      if (offset <= low)
        break;
      if (offset < high)
        offset = item.alignUp(high);
    }
    offsets[k] = offset;
  }
  return offsets;
}

std::vector<int32_t> makeOrder(const Model &model, Order order) {
  std::vector<int32_t> result(model.items.size());
  std::iota(result.begin(), result.end(), 0);
  auto key = [&](const Item &item) -> std::tuple<bool, double, double> {
    double length = item.last - item.first, height = double(item.height);
    switch (order) {
    case Order::LongestFirst:
      return {item.fixed < 0, -length, -height};
    case Order::LargestFirst:
      return {item.fixed < 0, -height, -length};
    case Order::AreaFirst:
      return {item.fixed < 0, -length * height, -height};
    case Order::ByTime:
      return {item.fixed < 0, item.first, -length};
    case Order::ByHint:
      return {item.fixed < 0, item.hint < 0 ? double(INT64_MAX) : double(item.hint), -height};
    }
    return {};
  };
  std::sort(result.begin(), result.end(), [&](int32_t a, int32_t b) {
    return std::tuple_cat(key(model.items[a]), std::tuple(a)) <
           std::tuple_cat(key(model.items[b]), std::tuple(b));
  });
  return result;
}

std::vector<int64_t> greedyPlan(const Model &model, const OverlapGraph *graph, int64_t enough) {
  std::vector<int64_t> best;
  int64_t bestPeak = INT64_MAX;
  auto consider = [&](std::vector<int64_t> offsets) {
    int64_t peak = peakOf(model, offsets);
    if (peak < bestPeak) {
      best = std::move(offsets);
      bestPeak = peak;
    }
    return bestPeak <= enough;
  };
  const bool hinted = std::any_of(model.items.begin(), model.items.end(),
                                  [](const Item &i) { return i.hint >= 0; });
  if (hinted && consider(pile(model, makeOrder(model, Order::ByHint))))
    return best;
  if (consider(pile(model, makeOrder(model, Order::LongestFirst))))
    return best;
  if (!hasFixed(model))
    for (bool backward : {false, true})
      if (consider(bestFitByTime(model, backward)))
        return best;
  if (graph)
    for (Order order : {Order::LongestFirst, Order::AreaFirst, Order::LargestFirst, Order::ByTime})
      if (consider(firstFit(model, *graph, makeOrder(model, order))))
        return best;
  return best;
}

std::optional<OverlapGraph> buildOverlaps(const Model &model, int64_t limit) {
  std::vector<int32_t> order;
  for (size_t k = 0; k < model.items.size(); ++k)
    if (model.items[k].rectBegin < model.items[k].rectEnd)
      order.push_back(int32_t(k));
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return std::pair(model.items[a].first, a) < std::pair(model.items[b].first, b);
  });
  struct Pair {
    int32_t a, b;
    int64_t aBelow, bBelow;
  };
  std::vector<Pair> pairs;
  std::vector<int32_t> active;
  int64_t seen = 0;
  for (int32_t b : order) {
    const Item &late = model.items[b];
    auto ended = [&](int32_t a) { return model.items[a].last <= late.first; };
    active.erase(std::remove_if(active.begin(), active.end(), ended), active.end());
    if ((seen += int64_t(active.size())) > limit)
      return std::nullopt;
    for (int32_t a : active) {
      const Item &early = model.items[a];
      int64_t aBelow = 0, bBelow = 0;
      for (int32_t i = early.rectBegin, j = late.rectBegin;
           i < early.rectEnd && j < late.rectEnd;) {
        const Rect &x = model.rects[i], &y = model.rects[j];
        if (x.first < y.last && y.first < x.last) {
          aBelow = std::max(aBelow, x.hi - y.lo);
          bBelow = std::max(bBelow, y.hi - x.lo);
        }
        (x.last < y.last ? i : j)++;
      }
      if (aBelow > 0 || bBelow > 0)
        pairs.push_back({a, b, aBelow, bBelow});
    }
    active.push_back(b);
  }
  OverlapGraph graph;
  graph.begin.assign(model.items.size() + 1, 0);
  for (const Pair &pair : pairs) {
    ++graph.begin[pair.a + 1];
    ++graph.begin[pair.b + 1];
  }
  std::partial_sum(graph.begin.begin(), graph.begin.end(), graph.begin.begin());
  graph.list.resize(2 * pairs.size());
  std::vector<int64_t> at(graph.begin.begin(), graph.begin.end() - 1);
  for (const Pair &pair : pairs) {
    graph.list[at[pair.a]++] = {pair.b, pair.aBelow, pair.bBelow};
    graph.list[at[pair.b]++] = {pair.a, pair.bBelow, pair.aBelow};
  }
  return graph;
}

} // namespace ashlar::planner
