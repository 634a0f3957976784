// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Memory/Planner/Portfolio.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <thread>

namespace ashlar::planner {
namespace {

constexpr int kChains = 8; // per round

/// The same numbers on every platform, unlike the standard library's distributions (SplitMix64,
/// Vigna).
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

/// Orders that do well on real programs, as numbers to compare and to blur: crowded, long-lived or
/// large first.
std::vector<double> basePriority(const SearchSpace &space, const std::vector<int32_t> &items,
                                 int heuristic) {
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
        length, length * sharp, pairs,       area * sharp, double(item.last - item.first),
        length, area,           area * pairs};
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
    priority[k] = double(
        1 + std::lower_bound(sorted.begin(), sorted.end(), std::pair(crowd[k], priority[k])) -
        sorted.begin());
  return priority;
}

int64_t peakOf(const Model &model, const std::vector<int32_t> &items,
               const std::vector<int64_t> &offsets) {
  int64_t peak = 0;
  for (int32_t k : items)
    peak = std::max(peak, offsets[k] + model.items[k].height);
  return peak;
}

/// How a chain sees the items: a fixed order, times what it has learned.
struct Attitude {
  std::vector<double> base;     // per item
  std::vector<double> pressure; // per section: failures, those of older restarts fading
};

struct Chain {
  int64_t peak = 0;  // bytes; of the best plan so far
  int64_t floor = 0; // bytes; nothing below is of interest
  double ambition =
      0; // the part of the way from the peak to the floor that each restart tries to go
  int64_t budget = 0; // placements of each restart
  int restarts = 1;
  double noise = 0; // of the priorities' logarithms
  double slackWeight = 0;
  uint64_t seed = 0;
  Attitude attitude;
  std::atomic<bool> cancelled{false};
  std::vector<int64_t> offsets; // of a plan better than the given peak, where one was found
  bool exhausted = false;       // no plan is as low as `target`
  int64_t target = 0;           // bytes; of the last restart
  int64_t work = 0;             // placements

  bool conclusive() const { return exhausted || (!offsets.empty() && peak <= floor); }
};

/// Runs the chain's restarts, each from the best plan so far, until one is conclusive.
void runChain(const SearchSpace &space, const std::vector<int32_t> &items,
              std::chrono::steady_clock::time_point deadline, Chain &chain) {
  constexpr double kFade = 0.8, kWeight = 3;
  const Model &model = space.model;
  Random random(chain.seed);
  SearchTask task;
  task.deadline = deadline;
  task.cancelled = &chain.cancelled;
  task.workLimit = chain.budget;
  task.slackWeight = chain.slackWeight;
  std::vector<double> &pressure = chain.attitude.pressure;
  for (int restart = 0; restart < chain.restarts && !chain.cancelled && !chain.conclusive();
       ++restart) {
    double most = 1;
    for (double p : pressure)
      most = std::max(most, p);
    task.priority = chain.attitude.base;
    for (int32_t k : items) {
      double worst = 0;
      for (int32_t s = model.items[k].first; s < model.items[k].last; ++s)
        worst = std::max(worst, pressure[s]);
      task.priority[k] *= (1 + kWeight * worst / most) *
                          std::exp(chain.noise * (random.symmetric() + random.symmetric()));
    }
    int64_t step =
        int64_t(double(chain.peak - chain.floor) * chain.ambition) / model.unit * model.unit;
    chain.target = std::max(chain.floor, chain.peak - std::max(step, model.unit));
    task.capacity = chain.target;
    SearchOutcome outcome = search(space, items, task);
    chain.work += outcome.work;
    chain.exhausted = outcome.result == SearchResult::Exhausted;
    if (outcome.result == SearchResult::Found) {
      chain.offsets = std::move(outcome.offsets);
      chain.peak = peakOf(model, items, chain.offsets);
    }
    for (size_t s = 0; s < pressure.size(); ++s)
      pressure[s] = kFade * pressure[s] + double(outcome.failures[s]);
    if (std::chrono::steady_clock::now() > deadline)
      break;
  }
}

/// Runs the chains and returns how many of them count: all up to the first conclusive one.
int runRound(const SearchSpace &space, const std::vector<int32_t> &items,
             const PortfolioOptions &options, std::array<Chain, kChains> &chains) {
  std::atomic<int> next{0};
  auto work = [&] {
    for (int i; (i = next++) < kChains;) {
      runChain(space, items, options.deadline, chains[i]);
      if (chains[i].conclusive())
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
    if (chains[i].conclusive())
      return i + 1;
  return kChains;
}

/// 1, 1, 2, 1, 1, 2, 4, ...: restarts that are never far from the best fixed budget (Luby,
/// Sinclair, Zuckerman: "Optimal speedup of Las Vegas algorithms", 1993).
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
  Portfolio(const SearchSpace &space, const std::vector<int32_t> &items, std::vector<int64_t> start,
            int64_t enough, bool fit, const PortfolioOptions &options)
      : space(space), items(items), options(options), enough(enough), fit(fit) {
    best.offsets = std::move(start);
    best.peak = peakOf(space.model, items, best.offsets);
    for (int h = 0; h < kChains; ++h)
      bases.push_back(basePriority(space, items, h));
  }

  PortfolioResult run() {
    for (int64_t round = 0; !done() && !best.stopped; ++round, ++failedRounds) {
      prepareRound(round);
      const int count = runRound(space, items, options, chains);
      for (int i = 0; i < count; ++i)
        digest(chains[i]);
      best.stopped =
          best.work >= options.workLimit || std::chrono::steady_clock::now() > options.deadline;
    }
    best.stopped &= !done();
    return std::move(best);
  }

private:
  bool done() const {
    return best.peak <= std::max(enough, best.lowerBound) || (fit && best.lowerBound > enough);
  }

  void digest(Chain &chain) {
    best.work += chain.work;
    if (chain.exhausted) { // the next possible peak is a unit higher
      const int64_t unit = space.model.unit;
      best.lowerBound =
          std::max(best.lowerBound, fit ? chain.target + 1 : (chain.target / unit + 1) * unit);
    }
    if (chain.offsets.empty() || chain.peak >= best.peak)
      return;
    for (int32_t k : items)
      best.offsets[k] = chain.offsets[k];
    best.peak = chain.peak;
    leader = std::move(chain.attitude);
    failedRounds = -1;
  }

  /// Describes the chains of a round. The first two rounds go for the floor at once; later ones are
  /// modest to varying degrees, or, where only the floor will do, some are: their success gives an
  /// order to follow. Round after round without success the budgets grow and the orders change.
  void prepareRound(int64_t round) {
    constexpr double kAmbition[kChains] = {1. / 8, 1. / 4, 1. / 4, 1. / 2,
                                           1. / 8, 1. / 3, 1. / 3, 1. / 16};
    constexpr double kNoise[] = {0.005, 0.02, 0.01, 0.05, 0.002};
    constexpr double kSlackWeight[kChains] = {0, 0.35, 0.2, 0.7, 0.35, 0.5, 0, 0.35};
    int64_t left = options.workLimit - best.work;
    const int64_t size = std::max<int64_t>(int64_t(items.size()), 16);
    for (int i = 0; i < kChains; ++i) {
      Chain &chain = chains[i];
      chain.peak = best.peak;
      chain.floor = std::max(enough, best.lowerBound);
      chain.ambition = round < 2 || (fit && i % 4 != 3) ? 1 : kAmbition[i];
      chain.budget = size * 4 * luby(failedRounds / 2);
      chain.restarts = round == 0 ? 1 : 20;
      chain.slackWeight = kSlackWeight[(i + 3 * round) % kChains];
      chain.noise = round == 0 ? 0 : kNoise[(round + i) % 5];
      chain.seed = uint64_t(round) * kChains + uint64_t(i);
      chain.cancelled = false;
      chain.offsets.clear();
      chain.exhausted = false;
      chain.work = 0;
      const bool follows = i % 2 == 1 && !leader.base.empty();
      chain.attitude.base = bases[(i + round) % kChains];
      chain.attitude.pressure.assign(space.model.numSections(), 0);
      if (follows)
        chain.attitude = leader;
      if (i ==
          0) { // one search whose budget doubles, so that a space that can be exhausted soon is
        chain.budget = size * 4 << std::min<int64_t>(failedRounds, 40);
        chain.restarts = 1;
      }
      chain.budget = std::min(chain.budget, left / chain.restarts);
      left -= chain.budget * chain.restarts;
    }
  }

  const SearchSpace &space;
  const std::vector<int32_t> &items;
  const PortfolioOptions &options;
  const int64_t enough;
  const bool fit;
  PortfolioResult best;
  std::vector<std::vector<double>> bases;
  Attitude leader; // of the chain that found the best plan
  std::array<Chain, kChains> chains;
  int64_t failedRounds = 0; // since the last success
};

} // namespace

PortfolioResult improve(const SearchSpace &space, const std::vector<int32_t> &items,
                        std::vector<int64_t> start, int64_t enough, bool fit,
                        const PortfolioOptions &options) {
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
