// Builds items and sections from buffers.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Memory/Planner/Model.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "compiler/Memory/Planner/Congruence.h"

namespace ashlar::planner {
namespace {

/// A rectangle whose interval is still in the problem's steps.
struct Box {
  int64_t lower, upper, lo, hi;
  int32_t item;
};

/// Appends what a buffer occupies, `delta` bytes behind its item's offset.
void appendBoxes(const Buffer &buffer, int32_t item, int64_t delta, std::vector<Box> &boxes) {
  auto add = [&](int64_t lower, int64_t upper, int64_t lo, int64_t hi) {
    if (lower < upper && lo < hi)
      boxes.push_back({lower, upper, delta + lo, delta + hi, item});
  };
  std::vector<Gap> gaps = buffer.gaps;
  std::sort(gaps.begin(), gaps.end(), [](const Gap &a, const Gap &b) { return a.lower < b.lower; });
  int64_t time = buffer.lower;
  for (const Gap &gap : gaps) {
    add(time, gap.lower, 0, buffer.size);
    add(gap.lower, gap.upper, gap.windowLower, gap.windowUpper);
    time = gap.upper;
  }
  add(time, buffer.upper, 0, buffer.size);
}

/// Replaces the boxes of one item, which may overlap, by their hull at each moment. Returns false
/// where the hull contains bytes that no box does.
bool mergeBoxes(std::vector<Box> &boxes) {
  std::vector<int64_t> times;
  for (const Box &box : boxes) {
    times.push_back(box.lower);
    times.push_back(box.upper);
  }
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  std::sort(boxes.begin(), boxes.end(),
            [](const Box &a, const Box &b) { return a.lower < b.lower; });
  bool full = true;
  std::vector<Box> active, merged;
  size_t next = 0;
  for (size_t t = 0; t + 1 < times.size(); ++t) {
    auto ended = [&](const Box &box) { return box.upper <= times[t]; };
    active.erase(std::remove_if(active.begin(), active.end(), ended), active.end());
    for (; next < boxes.size() && boxes[next].lower == times[t]; ++next)
      active.push_back(boxes[next]);
    if (active.empty())
      continue;
    std::sort(active.begin(), active.end(), [](const Box &a, const Box &b) { return a.lo < b.lo; });
    Box hull = {times[t], times[t + 1], active[0].lo, active[0].hi, active[0].item};
    for (const Box &box : active) {
      full &= box.lo <= hull.hi;
      hull.hi = std::max(hull.hi, box.hi);
    }
    if (!merged.empty() && merged.back().upper == hull.lower && merged.back().lo == hull.lo &&
        merged.back().hi == hull.hi)
      merged.back().upper = hull.upper;
    else
      merged.push_back(hull);
  }
  boxes = std::move(merged);
  return full;
}

/// Maps the boxes' steps to sections and fills Model::rects and the items' extents.
void cutSections(Model &model, const std::vector<Box> &boxes) {
  struct Event {
    int64_t time;
    bool begins;
    int32_t box;
  };
  std::vector<Event> events;
  events.reserve(2 * boxes.size());
  for (size_t i = 0; i < boxes.size(); ++i) {
    events.push_back({boxes[i].lower, true, int32_t(i)});
    events.push_back({boxes[i].upper, false, int32_t(i)});
  }
  std::sort(events.begin(), events.end(), [](const Event &a, const Event &b) {
    return a.time != b.time ? a.time < b.time : a.begins < b.begins;
  });
  model.rects.resize(boxes.size());
  int32_t section = 0;
  bool ended = false;
  for (const Event &event : events) {
    if (!event.begins) {
      ended = true;
      model.rects[event.box].last = section + 1;
      continue;
    }
    section += ended;
    ended = false;
    model.rects[event.box] = {section, 0, boxes[event.box].lo, boxes[event.box].hi};
  }
  model.sectionTotal.assign(boxes.empty() ? 0 : section + 1, 0);
  for (size_t i = 0; i < boxes.size(); ++i) {
    Item &item = model.items[boxes[i].item];
    if (i == 0 || boxes[i - 1].item != boxes[i].item)
      item.rectBegin = int32_t(i);
    item.rectEnd = int32_t(i) + 1;
  }
  for (Item &item : model.items)
    if (item.rectBegin < item.rectEnd) {
      item.first = model.rects[item.rectBegin].first;
      item.last = model.rects[item.rectEnd - 1].last;
    }
}

/// Chooses the unit and the bound: the most bytes live in one section. Where every offset is a
/// multiple of g, every size but that of the topmost buffer counts as rounded up to g.
void deriveBounds(Model &model, bool full) {
  int64_t unit = 0, grid = 0;
  for (const Item &item : model.items) {
    unit = std::gcd(unit, item.height);
    if (item.modulus > 1)
      unit = std::gcd(unit, std::gcd(item.modulus, item.residue));
    if (item.fixed >= 0)
      unit = std::gcd(unit, item.fixed);
    grid = std::gcd(grid, item.fixed >= 0 ? item.fixed : std::gcd(item.modulus, item.residue));
    int64_t lowest = item.fixed >= 0 ? item.fixed : item.alignUp(0);
    if (item.height > 0)
      model.lowerBound = std::max(model.lowerBound, lowest + item.height);
  }
  for (const Rect &rect : model.rects)
    unit = std::gcd(unit, std::gcd(rect.lo, rect.hi));
  model.unit = std::max<int64_t>(unit, 1);

  // Differences at the first section of a rectangle and behind its last one, summed up from left to
  // right.
  std::vector<int64_t> live(model.sectionTotal.size() + 1, 0), padding = live;
  std::vector<int64_t> largest(model.sectionTotal.size(), 0);
  if (!model.exact || grid <= 1)
    grid = 1;
  int64_t mostPad = 0;
  for (const Rect &rect : model.rects) {
    int64_t bytes = rect.hi - rect.lo, pad = (grid - bytes % grid) % grid;
    mostPad = std::max(mostPad, pad);
    live[rect.first] += bytes;
    live[rect.last] -= bytes;
    padding[rect.first] += pad;
    padding[rect.last] -= pad;
  }
  int64_t bytes = 0, pads = 0;
  for (size_t s = 0; s < model.sectionTotal.size(); ++s) {
    bytes += live[s];
    pads += padding[s];
    model.sectionTotal[s] = bytes;
    int64_t bound = bytes + std::max<int64_t>(0, pads - mostPad);
    if (full)
      model.lowerBound = std::max(model.lowerBound, bound);
  }
  if (model.exact)
    model.lowerBound = (model.lowerBound + model.unit - 1) / model.unit * model.unit;
}

} // namespace

Model buildModel(const Problem &problem) {
  const std::vector<Buffer> &buffers = problem.buffers;
  Model model;
  model.itemOf.assign(buffers.size(), -1);
  model.deltaOf.assign(buffers.size(), 0);
  std::vector<size_t> chain;
  for (size_t i = 0; i < buffers.size(); ++i) {
    size_t at = i;
    for (; model.itemOf[at] < 0 && buffers[at].alias; at = size_t(buffers[at].alias->buffer))
      chain.push_back(at);
    if (model.itemOf[at] < 0) {
      model.itemOf[at] = int32_t(model.items.size());
      model.items.emplace_back();
    }
    for (; !chain.empty(); chain.pop_back()) {
      const Alias &alias = *buffers[chain.back()].alias;
      model.itemOf[chain.back()] = model.itemOf[at];
      model.deltaOf[chain.back()] = model.deltaOf[alias.buffer] + alias.delta;
    }
  }
  std::vector<int64_t> origin(model.items.size(), 0); // the lowest member; the root itself is at 0
  std::vector<std::vector<int32_t>> members(model.items.size());
  for (size_t i = 0; i < buffers.size(); ++i) {
    origin[model.itemOf[i]] = std::min(origin[model.itemOf[i]], model.deltaOf[i]);
    members[model.itemOf[i]].push_back(int32_t(i));
  }
  bool full = true;
  std::vector<Box> boxes, own;
  for (size_t k = 0; k < model.items.size(); ++k) {
    Item &item = model.items[k];
    Congruence aligned;
    own.clear();
    for (int32_t i : members[k]) {
      const Buffer &buffer = buffers[i];
      int64_t delta = model.deltaOf[i] -= origin[k];
      if (buffer.size > 0)
        item.height = std::max(item.height, delta + buffer.size);
      aligned = *intersect(aligned, alignedAt(delta, buffer.alignment));
      if (buffer.offset)
        item.fixed = *buffer.offset - delta;
      if (buffer.hint && item.hint < 0)
        item.hint = std::max<int64_t>(0, *buffer.hint - delta);
      appendBoxes(buffer, int32_t(k), delta, own);
    }
    item.modulus = aligned.modulus;
    item.residue = aligned.residue;
    if (!own.empty()) {
      auto [first, last] = std::pair(own.front().lower, own.front().upper);
      for (const Box &box : own) {
        first = std::min(first, box.lower);
        last = std::max(last, box.upper);
      }
      if (__builtin_sub_overflow(last, first, &item.length))
        item.length = INT64_MAX;
    }
    if (members[k].size() > 1)
      full &= mergeBoxes(own);
    for (const Box &box : own)
      model.exact &= box.lo == 0;
    boxes.insert(boxes.end(), own.begin(), own.end());
  }
  model.exact &= full;
  cutSections(model, boxes);
  deriveBounds(model, full);
  return model;
}

std::vector<int64_t> bufferOffsets(const Model &model, const std::vector<int64_t> &itemOffsets) {
  std::vector<int64_t> offsets(model.itemOf.size());
  for (size_t i = 0; i < offsets.size(); ++i)
    offsets[i] = itemOffsets[model.itemOf[i]] + model.deltaOf[i];
  return offsets;
}

int64_t peakOf(const Model &model, const std::vector<int64_t> &itemOffsets) {
  int64_t peak = 0;
  for (size_t k = 0; k < model.items.size(); ++k)
    if (model.items[k].height > 0)
      peak = std::max(peak, itemOffsets[k] + model.items[k].height);
  return peak;
}

} // namespace ashlar::planner
