// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Reductions/ReduceRows.h"

#include <algorithm>

namespace ashlar::solver::detail {
namespace {

/// The least of any range of a fixed sequence, in constant time.
class RangeMinimum {
public:
  explicit RangeMinimum(const std::vector<int64_t> &values) : levels{values} {
    for (size_t width = 2; width <= values.size(); width *= 2) {
      const std::vector<int64_t> &below = levels.back();
      std::vector<int64_t> level(values.size() - width + 1);
      for (size_t i = 0; i < level.size(); ++i)
        level[i] = std::min(below[i], below[i + width / 2]);
      levels.push_back(std::move(level));
    }
  }

  int64_t operator()(int32_t first, int32_t last) const {
    size_t level = 0;
    while ((int32_t(2) << level) <= last - first)
      ++level;
    return std::min(levels[level][size_t(first)],
                    levels[level][size_t(last) - (size_t(1) << level)]);
  }

private:
  std::vector<std::vector<int64_t>> levels;
};

void forbidWhatDoesNotFit(Graph &graph, std::vector<char> &dirty, bool &changed) {
  const RangeMinimum room(graph.limits);
  for (size_t v = 0; v < graph.variables.size(); ++v) {
    Variable &variable = graph.variables[v];
    for (size_t j = 0; j < variable.usages.size(); ++j)
      for (const Span &span : variable.usages[j])
        if (room(span.first, span.last) < span.bytes && isAllowed(variable.costs[j])) {
          variable.costs[j] = kInfinity;
          dirty[v] = changed = true;
        }
  }
}

/// The most bytes of any strategies, row by row.
Profile envelope(const std::vector<Profile> &usages) {
  Profile result;
  for (const Profile &usage : usages) {
    Profile beyond = difference(usage, result);
    beyond.erase(std::remove_if(beyond.begin(), beyond.end(),
                                [](const Span &span) { return span.bytes < 0; }),
                 beyond.end());
    result = sum(result, beyond);
  }
  return result;
}

/// For each row, whether it must be kept.
std::vector<char> neededRows(const Graph &graph) {
  const size_t rows = graph.limits.size();
  std::vector<int64_t> change(rows + 1, 0);                 // of the most that could be used
  std::vector<char> rises(rows + 1, 0), falls(rows + 1, 0); // on entering the row
  for (const Variable &variable : graph.variables) {
    for (const Span &span : envelope(variable.usages)) {
      change[size_t(span.first)] += span.bytes;
      change[size_t(span.last)] -= span.bytes;
    }
    for (const Profile &usage : variable.usages)
      for (size_t k = 0; k < usage.size(); ++k) {
        const bool joined = k > 0 && usage[k - 1].last == usage[k].first;
        const int64_t before = joined ? usage[k - 1].bytes : 0;
        (usage[k].bytes > before ? rises : falls)[size_t(usage[k].first)] = 1;
        if (k + 1 == usage.size() || usage[k + 1].first != usage[k].last)
          falls[size_t(usage[k].last)] = 1;
      }
  }
  std::vector<char> needed(rows, 0);
  int64_t last = -1;                    // the last needed row
  bool rising = false, falling = false; // usages between it and this one
  int64_t most = 0;
  for (size_t r = 0; r < rows; ++r) {
    most += change[r];
    rising |= rises[r] != 0;
    falling |= falls[r] != 0;
    if (most <= graph.limits[r])
      continue;
    if (last >= 0 && !rising && graph.limits[size_t(last)] <= graph.limits[r])
      continue; // the last one demands as much
    if (last >= 0 && !falling && graph.limits[r] <= graph.limits[size_t(last)])
      needed[size_t(last)] = 0; // this one demands as much
    needed[r] = 1;
    last = int64_t(r);
    rising = falling = false;
  }
  return needed;
}

} // namespace

bool reduceRows(Graph &graph, std::vector<char> &dirty) {
  bool changed = false;
  for (int64_t limit : graph.limits)
    graph.infeasible |= limit < 0;
  if (graph.infeasible || graph.limits.empty())
    return false;
  forbidWhatDoesNotFit(graph, dirty, changed);
  const std::vector<char> needed = neededRows(graph);
  std::vector<int32_t> newRow(needed.size() + 1, 0);
  std::vector<int64_t> limits;
  for (size_t r = 0; r < needed.size(); ++r) {
    newRow[r + 1] = newRow[r] + needed[r];
    if (needed[r])
      limits.push_back(graph.limits[r]);
  }
  if (limits.size() == graph.limits.size())
    return changed;
  graph.limits = std::move(limits);
  for (size_t v = 0; v < graph.variables.size(); ++v)
    for (Profile &usage : graph.variables[v].usages) {
      usage = renumber(usage, newRow);
      dirty[v] = changed = true;
    }
  return changed;
}

} // namespace ashlar::solver::detail
