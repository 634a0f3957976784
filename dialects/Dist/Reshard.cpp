// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Dist/Reshard.h"

#include "llvm/ADT/STLExtras.h"

#include <cassert>

namespace ashlar::dist {

using Kind = ReshardStep::Kind;

llvm::StringRef toString(Kind kind) {
  constexpr const char *names[] = {"all_reduce", "reduce_scatter", "all_gather", "all_to_all",
                                   "all_slice"};
  return names[static_cast<int>(kind)];
}

namespace {

/// Splits axes of both lists until those with a common beginning have a common end: [tp] against
/// [tp:(1)2] becomes [tp:(1)2, tp:(2)2] against [tp:(1)2].
void refine(Axes &a, Axes &b) {
  for (Axes *mine : {&a, &b}) {
    Axes &other = mine == &a ? b : a;
    for (size_t i = 0; i < mine->size(); ++i)
      for (const Axis &with : other) {
        Axis axis = (*mine)[i];
        if (axis.name != with.name)
          continue;
        for (int64_t border : {with.pre, with.pre * with.size}) {
          axis = (*mine)[i];
          int64_t end = axis.pre * axis.size;
          if (border <= axis.pre || border >= end || border % axis.pre || end % border)
            continue;
          (*mine)[i].size = border / axis.pre;
          mine->insert(mine->begin() + i + 1, {axis.name, border, end / border});
        }
      }
  }
}

class Planner {
public:
  Planner(const Sharding &from, const Sharding &to, llvm::ArrayRef<int64_t> extents)
      : now(from.getClosed()), to(to.getClosed()) {
    for (size_t d = 0; d < now.dims.size(); ++d) {
      int64_t parts = getParts(now.dims[d].axes) * getParts(this->to.dims[d].axes);
      if (extents[d] >= 0 && extents[d] % parts == 0)
        for (size_t e = 0; e < now.dims.size(); ++e) // an axis may have moved
          if (extents[e] >= 0 &&
              extents[e] % (getParts(now.dims[e].axes) * getParts(this->to.dims[e].axes)) == 0)
            refine(now.dims[d].axes, this->to.dims[e].axes);
    }
  }

  std::vector<ReshardStep> plan() {
    reduce();
    sliceFreely();
    exchange();
    for (unsigned d = 0; d < now.dims.size(); ++d)
      gather(d);
    for (unsigned d = 0; d < now.dims.size(); ++d)
      slice(d);
    return std::move(steps);
  }

private:
  void add(Kind kind, llvm::ArrayRef<Axis> axes, unsigned dim, unsigned from = 0) {
    Sharding result = now;
    for (DimSharding &each : result.dims)
      each.axes = merge(each.axes);
    llvm::sort(result.partial); // in no order
    result.partial = merge(result.partial);
    steps.push_back({kind, merge(axes), dim, from, result});
  }
  Axes &axesOf(unsigned d) { return now.dims[d].axes; }
  const Axes &targetOf(unsigned d) { return to.dims[d].axes; }

  void reduce() {
    Axes left;
    for (const Axis &axis : now.partial)
      if (!llvm::is_contained(to.partial, axis))
        left.push_back(axis);
    now.partial = to.partial;
    Axes rest;
    Reduction reduction = now.reduction;
    for (size_t i = 0; i < left.size(); ++i) {
      const Axis &axis = left[i];
      bool scattered = false;
      for (unsigned d = 0; d < now.dims.size() && !scattered; ++d) {
        size_t cutBy = axesOf(d).size();
        if (!startsWith(targetOf(d), axesOf(d)) || targetOf(d).size() <= cutBy ||
            targetOf(d)[cutBy] != axis)
          continue;
        axesOf(d).push_back(axis);
        now.partial = rest;
        now.partial.append(left.begin() + i + 1, left.end());
        now.partial.append(to.partial);
        now.reduction = now.partial.empty() ? Reduction::None : reduction;
        add(Kind::ReduceScatter, axis, d);
        scattered = true;
      }
      if (!scattered)
        rest.push_back(axis);
    }
    now.partial = to.partial;
    now.reduction = to.reduction;
    if (!rest.empty())
      add(Kind::AllReduce, rest, 0);
  }

  /// Cuts by the axes that nothing uses yet.
  void sliceFreely() {
    for (unsigned d = 0; d < now.dims.size(); ++d) {
      if (!startsWith(targetOf(d), axesOf(d)))
        continue;
      Axes more;
      for (const Axis &axis : llvm::ArrayRef<Axis>(targetOf(d)).drop_front(axesOf(d).size())) {
        if (overlaps(now.getAxes(), axis))
          break;
        more.push_back(axis);
      }
      if (more.empty())
        continue;
      axesOf(d).append(more);
      add(Kind::AllSlice, more, d);
    }
  }

  void exchange() {
    for (unsigned from = 0; from < now.dims.size(); ++from)
      for (unsigned d = 0; d < now.dims.size(); ++d) {
        if (d == from || !startsWith(targetOf(d), axesOf(d)) ||
            startsWith(targetOf(from), axesOf(from)))
          continue;
        llvm::ArrayRef<Axis> wanted =
            llvm::ArrayRef<Axis>(targetOf(d)).drop_front(axesOf(d).size());
        // The longest end of `from` that the other dimension wants next.
        for (size_t count = wanted.size(); count > 0; --count) {
          if (axesOf(from).size() < count ||
              llvm::ArrayRef<Axis>(axesOf(from)).take_back(count) != wanted.take_front(count))
            continue;
          Axes moved(wanted.take_front(count));
          axesOf(from).truncate(axesOf(from).size() - count);
          axesOf(d).append(moved);
          add(Kind::AllToAll, moved, d, from);
          break;
        }
      }
  }

  void gather(unsigned d) {
    size_t common = 0;
    while (common < axesOf(d).size() && common < targetOf(d).size() &&
           axesOf(d)[common] == targetOf(d)[common])
      ++common;
    if (common == axesOf(d).size())
      return;
    Axes gathered(llvm::ArrayRef<Axis>(axesOf(d)).drop_front(common));
    axesOf(d).truncate(common);
    add(Kind::AllGather, gathered, d);
  }

  void slice(unsigned d) {
    Axes more(llvm::ArrayRef<Axis>(targetOf(d)).drop_front(axesOf(d).size()));
    if (more.empty())
      return;
    axesOf(d).append(more);
    add(Kind::AllSlice, more, d);
  }

  Sharding now, to;
  std::vector<ReshardStep> steps;
};

} // namespace

std::vector<ReshardStep> planReshard(const Sharding &from, const Sharding &to,
                                     llvm::ArrayRef<int64_t> extents) {
  assert(from.dims.size() == to.dims.size() && extents.size() == to.dims.size());
  return Planner(from, to, extents).plan();
}

} // namespace ashlar::dist
