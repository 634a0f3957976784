// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Search/Search.h"

#include <algorithm>
#include <cmath>

namespace ashlar::solver::detail {
namespace {

constexpr int32_t kDeepest = 20'000; // the search is a recursion, one call per member

class Searcher {
public:
  Searcher(const Subproblem &problem, const Buckets &buckets, Cost upper,
           const SearchOptions &options)
      : upper(upper), problem(problem), buckets(buckets), options(options),
        choices(size_t(problem.size())), values(problem.unary.size()), left(problem.room) {}

  /// Follows the cheapest strategies without regard to memory: the choices that attain the bound,
  /// where no bucket was split.
  const std::vector<int32_t> &relaxed(double bound) {
    for (int32_t m : buckets.order()) {
      double *costs = values.data() + problem.offsets[size_t(m)];
      buckets.evaluate(m, choices, bound, costs);
      const double *best = std::min_element(costs, costs + problem.strategies(m));
      choices[size_t(m)] = int32_t(best - costs);
      bound = *best;
    }
    return choices;
  }

  /// Searches all choices whose bound does not exceed `upper`; returns whether the steps sufficed.
  bool descend(double bound, double margin, int64_t steps) {
    this->margin = margin;
    stepsLeft = steps;
    setLimit();
    descend(size_t(0), bound);
    return stepsLeft > 0;
  }

  /// Takes choices that may not keep to the rows; returns whether they are an improvement.
  bool offer(const std::vector<int32_t> &candidate) {
    const Cost cost = problem.costOf(candidate);
    if (cost >= upper || !isAllowed(cost))
      return false;
    upper = cost;
    best = candidate;
    improved = true;
    setLimit();
    return true;
  }

  /// Whether a bound shows that nothing better than `upper` exists.
  bool prunes(double bound, double margin) const {
    return isAllowed(upper) ? bound > double(upper - 1) + margin : bound == kInfinite;
  }

  Cost upper;
  bool improved = false;
  std::vector<int32_t> best;
  int64_t steps = 0;

private:
  void setLimit() { limit = isAllowed(upper) ? double(upper - 1) + margin : kInfinite; }

  void descend(size_t k, double bound) {
    if (k == choices.size()) {
      offer(choices);
      return;
    }
    const int32_t m = buckets.order()[k], size = problem.strategies(m);
    double *costs = values.data() + problem.offsets[size_t(m)];
    buckets.evaluate(m, choices, bound, costs);
    for (int32_t tried = 0; tried < size; ++tried) {
      double *least = std::min_element(costs, costs + size);
      const double value = *least;
      if (value > limit || value == kInfinite)
        return;
      if (--stepsLeft <= 0 || ((++steps & 255) == 0 && options.stop())) {
        stepsLeft = 0;
        return;
      }
      *least = kInfinite;
      const int32_t j = int32_t(least - costs);
      if (!place(m, j))
        continue;
      choices[size_t(m)] = j;
      descend(k + 1, value);
      unplace(m, j);
      if (stepsLeft <= 0)
        return;
    }
  }

  bool place(int32_t m, int32_t j) {
    const auto [begin, end] = problem.spansOf[size_t(problem.offsets[size_t(m)] + j)];
    for (int32_t s = begin; s < end; ++s) {
      const Span &span = problem.spans[size_t(s)];
      for (int32_t r = span.first; r < span.last; ++r)
        if (left[size_t(r)] < span.bytes)
          return false;
    }
    for (int32_t s = begin; s < end; ++s) {
      const Span &span = problem.spans[size_t(s)];
      for (int32_t r = span.first; r < span.last; ++r)
        left[size_t(r)] -= span.bytes;
    }
    return true;
  }

  void unplace(int32_t m, int32_t j) {
    const auto [begin, end] = problem.spansOf[size_t(problem.offsets[size_t(m)] + j)];
    for (int32_t s = begin; s < end; ++s) {
      const Span &span = problem.spans[size_t(s)];
      for (int32_t r = span.first; r < span.last; ++r)
        left[size_t(r)] += span.bytes;
    }
  }

  const Subproblem &problem;
  const Buckets &buckets;
  const SearchOptions &options;
  std::vector<int32_t> choices;
  std::vector<double> values;
  std::vector<int64_t> left;
  double margin = 0, limit = kInfinite;
  int64_t stepsLeft = 0;
};

/// Bytes used beyond the room, per row; negative where there is room.
std::vector<double> excess(const Subproblem &problem, const std::vector<int32_t> &choices) {
  std::vector<double> result(problem.room.size());
  for (size_t r = 0; r < result.size(); ++r)
    result[r] = -double(problem.room[r]);
  for (int32_t m = 0; m < problem.size(); ++m) {
    const auto [begin, end] =
        problem.spansOf[size_t(problem.offsets[size_t(m)] + choices[size_t(m)])];
    for (int32_t s = begin; s < end; ++s) {
      const Span &span = problem.spans[size_t(s)];
      for (int32_t r = span.first; r < span.last; ++r)
        result[size_t(r)] += double(span.bytes);
    }
  }
  return result;
}

/// The costs of the strategies with their memory paid for.
std::vector<double> priced(const Subproblem &problem, const std::vector<double> &prices) {
  std::vector<double> before(prices.size() + 1, 0);
  for (size_t r = 0; r < prices.size(); ++r)
    before[r + 1] = before[r] + prices[r];
  std::vector<double> unary = problem.unary;
  for (size_t k = 0; k < unary.size(); ++k)
    for (int32_t s = problem.spansOf[k].first; s < problem.spansOf[k].second; ++s) {
      const Span &span = problem.spans[size_t(s)];
      unary[k] += double(span.bytes) * (before[size_t(span.last)] - before[size_t(span.first)]);
    }
  return unary;
}

} // namespace

SearchResult search(const Subproblem &problem, Cost upper, std::vector<double> prices,
                    const SearchOptions &options) {
  SearchResult result;
  int64_t mostEntries = options.mostEntries;
  auto buckets = std::make_unique<Buckets>(problem, mostEntries);
  while (buckets->work() > options.mostWork && mostEntries > 16)
    buckets = std::make_unique<Buckets>(problem, mostEntries /= 4);
  prices.resize(problem.room.size(), 0);
  result.prices = prices;
  Searcher searcher(problem, *buckets, upper, options);
  double agility = 1, highest = -kInfinite;
  for (int iteration = 0; !options.stop(); ++iteration) {
    const bool last = iteration + 1 >= options.iterations || problem.room.empty();
    if (last)
      prices = result.prices;
    double credit = 0;
    for (size_t r = 0; r < prices.size(); ++r)
      credit += prices[r] * double(problem.room[r]);
    const double bound = buckets->compute(priced(problem, prices)) - credit;
    result.work += buckets->work();
    const double margin =
        problem.rounding + (credit > 0 ? 1e-11 * (credit + std::abs(bound) + 1) : 0);
    result.bound = std::max(result.bound, bound - margin);
    if (bound > highest) {
      highest = bound;
      result.prices = prices;
      agility = std::min(1.5, agility * 1.1);
    } else {
      agility *= 0.7;
    }
    if (searcher.prunes(bound, margin)) {
      result.exhausted = true;
      break;
    }
    if (problem.room.empty()) {
      searcher.offer(searcher.relaxed(bound));
      if (buckets->exact() && problem.rounding == 0) {
        result.exhausted = true; // nothing costs less than the bound, and this costs no more
        break;
      }
    }
    if (last) {
      if (problem.size() <= kDeepest)
        result.exhausted = searcher.descend(bound, margin, options.steps);
      break;
    }
    const std::vector<int32_t> relaxed = searcher.relaxed(bound);
    const std::vector<double> direction = excess(problem, relaxed);
    double length = 0, complementary = 0;
    bool feasible = true;
    for (size_t r = 0; r < direction.size(); ++r) {
      feasible &= direction[r] <= 0;
      complementary += prices[r] * direction[r];
      if (direction[r] > 0 || prices[r] > 0)
        length += direction[r] * direction[r];
    }
    if (feasible) {
      searcher.offer(relaxed);
      if (complementary == 0 && buckets->exact() && problem.rounding == 0) {
        result.exhausted = true; // the relaxation's optimum is one of the subproblem
        break;
      }
    }
    if (length == 0)
      continue;
    const double target =
        isAllowed(searcher.upper) ? double(searcher.upper) : bound + 0.05 * std::abs(bound) + 1;
    const double step = agility * std::max(target - bound, 1e-6 * std::abs(bound)) / length;
    for (size_t r = 0; r < prices.size(); ++r)
      prices[r] = std::max(0.0, prices[r] + step * direction[r]);
  }
  result.work += searcher.steps;
  result.improved = searcher.improved;
  result.choices = searcher.best;
  result.cost = searcher.upper;
  return result;
}

} // namespace ashlar::solver::detail
