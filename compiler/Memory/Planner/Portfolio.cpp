// SPDX-License-Identifier: Apache-2.0
#include "compiler/Memory/Planner/Portfolio.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <thread>

namespace ashlar::planner {
namespace {

constexpr int kChains = 8; // per round

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
  std::vector<int64_t> crowd(model.items.size(), 0); // the most bytes live beside the item
  int64_t most = 1;
  for (int32_t k : items) {
    for (int32_t s = model.items[k].first; s < model.items[k].last; ++s)
      crowd[k] = std::max(crowd[k], model.sectionTotal[s]);
    most = std::max(most, crowd[k]);
  }
  for (int32_t k : items) {
    const Item &item = model.items[k];
    double length = double(item.length), area = length * double(item.height);
    double pairs = double(space.graph.begin[k + 1] - space.graph.begin[k]);
    double sharp = std::pow(double(crowd[k]) / double(most), 16);
    const double keys[kChains] = {
        length, length * sharp, pairs, area * sharp, double(item.last - item.first), length, area, area * pairs};
    priority[k] = keys[heuristic];
  }
  if (heuristic != 0)
    return priority;
  // The most crowded first, of equally crowded ones the longest, without blur: as ranks.
  std::vector<std::pair<int64_t, double>> sorted;
  for (int32_t k : items)
    sorted.push_back({crowd[k], priority[k]});
  std::sort(sorted.begin(), sorted.end());
  for (int32_t k : items)
    priority[k] =
        double(1 + std::lower_bound(sorted.begin(), sorted.end(), std::pair(crowd[k], priority[k])) - sorted.begin());
  return priority;
}

/// How a chain sees the items: a fixed order, times what it has learned.
struct Attitude {
  std::vector<double> base;     // per item
  std::vector<double> pressure; // per section: failures, those of older restarts fading
};

struct Chain {
  int64_t target = 0; // bytes
  int64_t budget = 0; // placements of each restart
  int restarts = 1;
  double noise = 0; // of the priorities' logarithms
  uint64_t seed = 0;
  Attitude attitude;
  std::atomic<bool> cancelled{false};
  SearchOutcome outcome;
};

/// Runs the chain's restarts until one has a result.
void runChain(const SearchSpace &space, const std::vector<int32_t> &items,
              std::chrono::steady_clock::time_point deadline, Chain &chain) {
  constexpr double kFade = 0.7, kWeight = 3;
  const Model &model = space.model;
  Random random(chain.seed);
  SearchTask task;
  task.capacity = chain.target;
  task.deadline = deadline;
  task.cancelled = &chain.cancelled;
  task.workLimit = chain.budget;
  int64_t work = 0;
  std::vector<double> &pressure = chain.attitude.pressure;
  for (int restart = 0; restart < chain.restarts && !chain.cancelled; ++restart) {
    double most = 1;
    for (double p : pressure)
      most = std::max(most, p);
    task.priority = chain.attitude.base;
    for (int32_t k : items) {
      double worst = 0;
      for (int32_t s = model.items[k].first; s < model.items[k].last; ++s)
        worst = std::max(worst, pressure[s]);
      task.priority[k] *=
          (1 + kWeight * worst / most) * std::exp(chain.noise * (random.symmetric() + random.symmetric()));
    }
    chain.outcome = search(space, items, task);
    work += chain.outcome.work;
    if (chain.outcome.result != SearchResult::Stopped)
      break;
    for (size_t s = 0; s < pressure.size(); ++s)
      pressure[s] = kFade * pressure[s] + double(chain.outcome.failures[s]);
    if (std::chrono::steady_clock::now() > deadline)
      break;
  }
  chain.outcome.work = work;
}

/// Runs the chains and returns the index of the first one with a result, or -1.
int runRound(const SearchSpace &space, const std::vector<int32_t> &items, const PortfolioOptions &options,
             std::array<Chain, kChains> &chains) {
  std::atomic<int> next{0};
  auto work = [&] {
    for (int i; (i = next++) < kChains;) {
      if (chains[i].cancelled)
        continue;
      runChain(space, items, options.deadline, chains[i]);
      if (chains[i].outcome.result != SearchResult::Stopped)
        for (int j = i + 1; j < kChains; ++j)
          chains[j].cancelled = true;
    }
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < std::min(options.threads, kChains); ++t)
    helpers.emplace_back(work);
  work();
  for (std::thread &helper : helpers)
    helper.join();
  for (int i = 0; i < kChains; ++i)
    if (chains[i].outcome.result != SearchResult::Stopped)
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

/// The state of improve(): what is known, and what the next round tries.
class Portfolio {
public:
  Portfolio(const SearchSpace &space, const std::vector<int32_t> &items, std::vector<int64_t> start, int64_t enough,
            bool fit, const PortfolioOptions &options)
      : space(space), items(items), options(options), enough(enough), fit(fit), unit(space.model.unit) {
    best.offsets = std::move(start);
    best.peak = peak();
    step = best.peak - enough;
    for (int h = 0; h < kChains; ++h)
      bases.push_back(basePriority(space, items, h));
  }

  PortfolioResult run() {
    for (round = 0; best.peak > std::max(enough, best.lowerBound) && !best.stopped; ++round, ++failedRounds) {
      const int64_t target = prepareRound();
      int winner = runRound(space, items, options, chains);
      for (int i = 0; i < (winner < 0 ? kChains : winner + 1); ++i)
        best.work += chains[i].outcome.work;
      if (winner >= 0 && chains[winner].outcome.result == SearchResult::Found)
        accept(chains[winner]);
      else if (winner >= 0)
        best.lowerBound = target + 1 + (fit ? 0 : unit - 1 - target % unit);
      else
        step /= 2; // promise less
      if (fit && best.lowerBound > enough)
        break;
      best.stopped = best.work >= options.workLimit || std::chrono::steady_clock::now() > options.deadline;
    }
    best.stopped &= best.peak > std::max(enough, best.lowerBound) && !(fit && best.lowerBound > enough);
    return std::move(best);
  }

private:
  int64_t peak() const {
    int64_t top = 0;
    for (int32_t k : items)
      top = std::max(top, best.offsets[k] + space.model.items[k].height);
    return top;
  }

  void accept(const Chain &chain) {
    for (int32_t k : items)
      best.offsets[k] = chain.outcome.offsets[k];
    best.peak = peak();
    leader = chain.attitude;
    failedRounds = -1;
    step = std::max(2 * step, unit);
  }

  /// Describes the chains of a round and returns their target. Round after round without success the target comes
  /// nearer to the plan at hand, the budgets grow, and the orders change.
  int64_t prepareRound() {
    const int64_t floor = std::max(enough, best.lowerBound);
    step = std::clamp(step / unit * unit, unit, std::max(unit, best.peak - floor));
    const int64_t target = fit ? enough : std::max(floor, best.peak - step);
    int64_t left = options.workLimit - best.work;
    const int64_t size = std::max<int64_t>(int64_t(items.size()), 16);
    for (int i = 0; i < kChains; ++i) {
      Chain &chain = chains[i];
      chain.target = target;
      chain.budget = size * 4 * luby(failedRounds / 2);
      chain.restarts = round == 0 ? 1 : 8;
      chain.noise = round == 0 ? 0 : 0.04 * double(1 + (round + i) % 5);
      chain.seed = uint64_t(round) * kChains + uint64_t(i);
      chain.cancelled = false;
      chain.outcome = {};
      const bool follows = i % 2 == 1 && !leader.base.empty();
      chain.attitude.base = bases[(i + round) % kChains];
      chain.attitude.pressure.assign(space.model.numSections(), 0);
      if (follows)
        chain.attitude = leader;
      if (i == 0) { // one search whose budget doubles, so that a space that can be exhausted soon is
        chain.budget = size * 4 << std::min<int64_t>(failedRounds, 40);
        chain.restarts = 1;
      }
      chain.budget = std::min(chain.budget, left / chain.restarts);
      left -= chain.budget * chain.restarts;
    }
    return target;
  }

  const SearchSpace &space;
  const std::vector<int32_t> &items;
  const PortfolioOptions &options;
  const int64_t enough;
  const bool fit;
  const int64_t unit;
  PortfolioResult best;
  std::vector<std::vector<double>> bases;
  Attitude leader; // of the chain that found the best plan
  std::array<Chain, kChains> chains;
  int64_t step = 0; // bytes that the next round tries to save
  int64_t round = 0;
  int64_t failedRounds = 0; // since the last success
};

} // namespace

PortfolioResult improve(const SearchSpace &space, const std::vector<int32_t> &items, std::vector<int64_t> start,
                        int64_t enough, bool fit, const PortfolioOptions &options) {
  return Portfolio(space, items, std::move(start), enough, fit, options).run();
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
