// SPDX-License-Identifier: Apache-2.0
#include "compiler/Memory/Planner/Portfolio.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>

namespace ashlar::planner {
namespace {

constexpr int kTasks = 8; // per round

/// The same numbers on every platform, unlike the standard library's distributions (SplitMix64, Vigna).
class Random {
public:
  explicit Random(uint64_t seed) : state(seed * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull) {}
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /// Uniform in [-1, 1).
  double symmetric() { return double(int64_t(next()) >> 11) * 0x1p-52; }

private:
  uint64_t state;
};

/// Orders that do well on real programs, as numbers to compare and to blur: crowded, long-lived or large first.
std::vector<double> basePriority(const SearchSpace &space, const std::vector<int32_t> &items, int heuristic) {
  const Model &model = space.model;
  std::vector<double> priority(model.items.size(), 0);
  std::vector<std::pair<int64_t, double>> crowded; // the most bytes live beside the item, then another criterion
  for (int32_t k : items) {
    const Item &item = model.items[k];
    int64_t total = 0;
    for (int32_t s = item.first; s < item.last; ++s)
      total = std::max(total, model.sectionTotal[s]);
    double length = double(item.length), height = double(item.height), area = length * height;
    double pairs = double(space.graph.begin[k + 1] - space.graph.begin[k]);
    const double keys[] = {length, area, pairs, double(item.last - item.first), area, length, height, area * pairs};
    priority[k] = keys[heuristic];
    crowded.push_back({total, keys[heuristic]});
  }
  if (heuristic >= 2)
    return priority;
  std::vector<std::pair<int64_t, double>> sorted = crowded;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < items.size(); ++i)
    priority[items[i]] = double(1 + std::lower_bound(sorted.begin(), sorted.end(), crowded[i]) - sorted.begin());
  return priority;
}

/// Runs the tasks and returns the index of the first one with a result, or -1.
int runRound(const SearchSpace &space, const std::vector<int32_t> &items, std::vector<SearchTask> &tasks, int threads,
             std::vector<SearchOutcome> &outcomes) {
  const int count = int(tasks.size());
  outcomes.assign(count, {});
  std::vector<std::atomic<bool>> cancelled(count);
  for (int i = 0; i < count; ++i) {
    cancelled[i] = false;
    tasks[i].cancelled = &cancelled[i];
  }
  std::atomic<int> next{0};
  auto work = [&] {
    for (int i; (i = next++) < count;) {
      if (cancelled[i])
        continue;
      outcomes[i] = search(space, items, tasks[i]);
      if (outcomes[i].result != SearchResult::Stopped)
        for (int j = i + 1; j < count; ++j)
          cancelled[j] = true;
    }
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < std::min(threads, count); ++t)
    helpers.emplace_back(work);
  work();
  for (std::thread &helper : helpers)
    helper.join();
  for (int i = 0; i < count; ++i)
    if (outcomes[i].result != SearchResult::Stopped)
      return i;
  return -1;
}

/// 1, 1, 2, 1, 1, 2, 4, ...: restarts that are never far from the best fixed budget (Luby, Sinclair, Zuckerman:
/// "Optimal speedup of Las Vegas algorithms", 1993).
int64_t luby(int64_t i) {
  for (int64_t k = 1;; ++k) {
    if (i + 1 == (int64_t(1) << k) - 1)
      return int64_t(1) << (k - 1);
    if (i + 1 < (int64_t(1) << k) - 1)
      return luby(i + 1 - (int64_t(1) << (k - 1)));
  }
}

} // namespace

PortfolioResult improve(const SearchSpace &space, const std::vector<int32_t> &items, std::vector<int64_t> start,
                        int64_t enough, bool fit, const PortfolioOptions &options) {
  const Model &model = space.model;
  PortfolioResult best;
  best.offsets = std::move(start);
  auto peak = [&](const std::vector<int64_t> &offsets) {
    int64_t top = 0;
    for (int32_t k : items)
      top = std::max(top, offsets[k] + model.items[k].height);
    return top;
  };
  best.peak = peak(best.offsets);
  std::vector<std::vector<double>> bases;
  for (int h = 0; h < kTasks; ++h)
    bases.push_back(basePriority(space, items, h));
  std::vector<double> leader; // the priorities that led to the best plan
  int64_t sinceSuccess = 0;
  std::vector<SearchTask> tasks(kTasks);
  std::vector<SearchOutcome> outcomes;
  for (int64_t round = 0; best.peak > enough && !best.exhausted && !best.stopped; ++round, ++sinceSuccess) {
    const int64_t target = fit ? enough : std::max(enough, best.peak - model.unit);
    int64_t left = options.workLimit - best.work;
    for (int i = 0; i < kTasks; ++i) {
      SearchTask &task = tasks[i];
      task = {};
      task.capacity = target;
      task.deadline = options.deadline;
      // The first task's budget doubles, so that a search space that can be exhausted soon is.
      int64_t budget = int64_t(items.size()) * 4 * luby(sinceSuccess);
      if (i == 0)
        budget = int64_t(items.size()) * 4 << std::min<int64_t>(sinceSuccess, 40);
      task.workLimit = std::min(budget, left);
      left -= task.workLimit;
      task.priority = i % 2 == 1 && !leader.empty() ? leader : bases[(i + round) % kTasks];
      if (i == 0)
        task.priority = leader.empty() ? bases[0] : leader;
      double noise = round == 0 || i == 0 ? 0 : 0.05 * double(1 + (round + i) % 8);
      Random random(uint64_t(round) * kTasks + i);
      for (int32_t k : items)
        task.priority[k] *= std::exp(noise * (random.symmetric() + random.symmetric()));
    }
    int winner = runRound(space, items, tasks, options.threads, outcomes);
    for (int i = 0; i < (winner < 0 ? kTasks : winner + 1); ++i)
      best.work += outcomes[i].work;
    if (winner >= 0 && outcomes[winner].result == SearchResult::Found) {
      for (int32_t k : items)
        best.offsets[k] = outcomes[winner].offsets[k];
      best.peak = peak(best.offsets);
      leader = tasks[winner].priority;
      sinceSuccess = -1;
    } else if (winner >= 0) {
      best.exhausted = true;
    }
    best.stopped = best.work >= options.workLimit || std::chrono::steady_clock::now() > options.deadline;
  }
  best.stopped &= best.peak > enough && !best.exhausted;
  return best;
}

std::vector<std::vector<int32_t>> components(const Model &model) {
  std::vector<int32_t> order;
  for (size_t k = 0; k < model.items.size(); ++k)
    if (model.items[k].rectBegin < model.items[k].rectEnd)
      order.push_back(int32_t(k));
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return std::pair(model.items[a].first, a) < std::pair(model.items[b].first, b);
  });
  std::vector<std::vector<int32_t>> result;
  int32_t last = 0;
  for (int32_t k : order) {
    if (result.empty() || model.items[k].first >= last)
      result.emplace_back();
    last = std::max(last, model.items[k].last);
    result.back().push_back(k);
  }
  return result;
}

} // namespace ashlar::planner
