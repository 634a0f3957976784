// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Path/Labels.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace ashlar::solver::detail {
namespace {

constexpr size_t kSpare = 4;        // candidates per label kept that are looked at closely
constexpr size_t kComparisons = 64; // of a label with others of its frontier

struct Label {
  double bound;
  double cost; // without prices
  int32_t parent;
  int32_t choice;
  int64_t place; // of the next frontier's combination
};

class LabelSetter {
public:
  LabelSetter(const Path &path, const PathTables &tables, const LabelOptions &options)
      : path(path), problem(path.problem), tables(tables), options(options) {}

  LabelResult run() {
    labels = {{options.bound, 0, -1, -1, 0}};
    for (size_t k = 0; k < path.stages.size() && !labels.empty(); ++k) {
      if (options.stop() || result.work > options.mostWork) {
        result.dropped = -kInfinite;
        return std::move(result);
      }
      extend(k);
      select(k);
    }
    if (!labels.empty())
      traceBack();
    return std::move(result);
  }

private:
  void extend(size_t k) {
    const Path::Stage &stage = path.stages[k];
    const size_t depth = stage.frontier.size(), groups = stage.groups.size();
    const size_t usagesBefore = k == 0 ? 0 : path.stages[k - 1].openGroups;
    const size_t width = size_t(problem.strategies(stage.member));
    const double *unary = problem.unary.data() + problem.offsets[size_t(stage.member)];
    std::vector<double> links(width), values(width);
    std::vector<int32_t> choices(depth);
    std::vector<int64_t> used(groups);
    candidates.clear();
    candidateUsage.clear();
    for (size_t i = 0; i < labels.size(); ++i) {
      decode(stage, labels[i].place, choices);
      std::fill(links.begin(), links.end(), 0.0);
      path.addCosts(stage, choices, links.data());
      std::fill(values.begin(), values.end(), labels[i].bound);
      tables.addRise(k, labels[i].place, choices, links.data(), values.data());
      int64_t place = 0;
      for (size_t d = 0; d < depth; ++d)
        place += stage.strides[d] * choices[d];
      for (size_t x = 0; x < width; ++x) {
        if (values[x] > options.limit || values[x] == kInfinite)
          continue;
        if (!fits(stage, usage.data() + i * usagesBefore, x, used))
          continue;
        candidates.push_back({values[x], labels[i].cost + unary[x] + links[x], int32_t(i),
                              int32_t(x), stage.stays ? place + int64_t(x) : place});
        candidateUsage.insert(candidateUsage.end(), used.begin(),
                              used.begin() + ptrdiff_t(stage.openGroups));
      }
      result.work += int64_t(width * (2 + stage.links.size() + groups));
    }
  }

  void decode(const Path::Stage &stage, int64_t place, std::vector<int32_t> &choices) const {
    for (size_t d = choices.size(); d-- > 0;) {
      const int64_t size = problem.strategies(stage.frontier[d]);
      choices[d] = int32_t(place % size);
      place /= size;
    }
  }

  static bool fits(const Path::Stage &stage, const int64_t *before, size_t x,
                   std::vector<int64_t> &used) {
    for (size_t g = 0; g < stage.groups.size(); ++g) {
      const Path::Group &group = stage.groups[g];
      int64_t beyond = INT64_MIN;
      for (const auto &[source, added] : group.sources)
        beyond = std::max(beyond, added + (source < 0 ? 0 : before[source]));
      if (!group.bytes.empty())
        beyond += group.bytes[x];
      if (beyond > 0)
        return false;
      used[g] = std::max(beyond, group.harmless);
    }
    return true;
  }

  /// Makes the most promising candidates that are not dominated the labels.
  void select(size_t k) {
    const size_t groups = path.stages[k].openGroups;
    std::vector<int32_t> order(candidates.size());
    std::iota(order.begin(), order.end(), 0);
    auto promising = [&](int32_t a, int32_t b) {
      return std::pair(candidates[size_t(a)].bound, a) < std::pair(candidates[size_t(b)].bound, b);
    };
    thinOut(order, kSpare * options.width, groups, promising);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      const Label &x = candidates[size_t(a)], &y = candidates[size_t(b)];
      return std::tie(x.place, x.cost, a) < std::tie(y.place, y.cost, b);
    });
    std::vector<int32_t> kept;
    size_t first = 0; // of those with the same frontier
    for (int32_t c : order) {
      if (!kept.empty() && candidates[size_t(kept.back())].place != candidates[size_t(c)].place)
        first = kept.size();
      const int64_t *its = candidateUsage.data() + size_t(c) * groups;
      bool dominated = false;
      for (size_t o = kept.size(), compared = 0; o > first && compared < kComparisons && !dominated;
           ++compared) {
        const int64_t *other = candidateUsage.data() + size_t(kept[--o]) * groups;
        dominated =
            std::equal(other, other + groups, its, [](int64_t a, int64_t b) { return a <= b; });
      }
      if (!dominated)
        kept.push_back(c);
    }
    result.work += int64_t(order.size() * (1 + groups));
    thinOut(kept, options.width, groups, promising);
    std::sort(kept.begin(), kept.end());
    labels.clear();
    usage.clear();
    trail.emplace_back();
    for (int32_t c : kept) {
      labels.push_back(candidates[size_t(c)]);
      trail.back().emplace_back(labels.back().parent, labels.back().choice);
      usage.insert(usage.end(), candidateUsage.begin() + ptrdiff_t(size_t(c) * groups),
                   candidateUsage.begin() + ptrdiff_t(size_t(c + 1) * groups));
    }
  }

  /// Keeps the most promising ones and, of the others, the most promising of each range of usage:
  /// where many ways cost about the same, not all should use what later stages need.
  template <typename Less>
  void thinOut(std::vector<int32_t> &list, size_t count, size_t groups, Less promising) {
    if (list.size() <= count || groups == 0)
      return keepFirst(list, count, promising);
    const size_t ranges = count / 4, first = count - ranges;
    std::nth_element(list.begin(), list.begin() + ptrdiff_t(first), list.end(), promising);
    std::vector<int64_t> most; // of the rest, by how much the tightest row is exceeded
    for (size_t i = first; i < list.size(); ++i) {
      const int64_t *its = candidateUsage.data() + size_t(list[i]) * groups;
      most.push_back(*std::max_element(its, its + groups));
    }
    const auto [low, high] = std::minmax_element(most.begin(), most.end());
    const double scale = double(ranges) / (double(*high - *low) + 1);
    std::vector<int32_t> best(ranges + 1, -1);
    for (size_t i = first; i < list.size(); ++i) {
      int32_t &its = best[size_t(double(most[i - first] - *low) * scale)];
      const int32_t loser =
          its < 0 || promising(list[i], its) ? std::exchange(its, list[i]) : list[i];
      if (loser >= 0)
        result.dropped = std::min(result.dropped, candidates[size_t(loser)].bound);
    }
    list.resize(first);
    std::copy_if(best.begin(), best.end(), std::back_inserter(list),
                 [](int32_t c) { return c >= 0; });
  }

  template <typename Less>
  void keepFirst(std::vector<int32_t> &list, size_t count, Less less) {
    if (list.size() <= count)
      return;
    std::nth_element(list.begin(), list.begin() + ptrdiff_t(count), list.end(), less);
    result.dropped = std::min(result.dropped, candidates[size_t(list[count])].bound);
    list.resize(count);
  }

  void traceBack() {
    const auto best =
        std::min_element(labels.begin(), labels.end(),
                         [](const Label &a, const Label &b) { return a.cost < b.cost; });
    result.found = true;
    result.choices.resize(path.stages.size());
    int32_t at = int32_t(best - labels.begin());
    for (size_t k = path.stages.size(); k-- > 0;) {
      const auto [parent, choice] = trail[k][size_t(at)];
      result.choices[size_t(path.stages[k].member)] = choice;
      at = parent;
    }
  }

  const Path &path;
  const Subproblem &problem;
  const PathTables &tables;
  const LabelOptions &options;
  std::vector<Label> labels, candidates;
  std::vector<int64_t> usage, candidateUsage;                  // per label, of the open groups
  std::vector<std::vector<std::pair<int32_t, int32_t>>> trail; // per stage: parents and choices
  LabelResult result;
};

} // namespace

LabelResult setLabels(const Path &path, const PathTables &tables, const LabelOptions &options) {
  return LabelSetter(path, tables, options).run();
}

} // namespace ashlar::solver::detail
