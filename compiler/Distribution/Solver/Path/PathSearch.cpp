// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Path/PathSearch.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "compiler/Distribution/Solver/Path/Labels.h"

namespace ashlar::solver::detail {
namespace {

constexpr int64_t kMostStepsOnce = 1 << 23; // of a stage, where all rows can be exact
constexpr int64_t kMostSteps = 1 << 13;     // where prices take many passes
constexpr int64_t kMostLabels = 8'000'000;  // remembered at once
constexpr size_t kFirstWidth = 32;
constexpr int kPasses = 60;     // between two searches
constexpr int kPatience = 28;   // passes without a better bound
constexpr int kLinePasses = 20; // for the first price

class PathSearcher {
public:
  PathSearcher(const Subproblem &problem, Cost upper, const SearchOptions &options)
      : problem(problem), options(options), prices(problem.room.size(), 0), bestPrices(prices),
        active(prices.size(), 0) {
    result.cost = upper;
    auto largest = [](const double *begin, const double *end) {
      double most = 0;
      for (; begin != end; ++begin)
        if (*begin < kInfinite)
          most = std::max(most, std::abs(*begin));
      return most;
    };
    for (int32_t m = 0; m < problem.size(); ++m)
      mostCost += largest(problem.unary.data() + problem.offsets[size_t(m)],
                          problem.unary.data() + problem.offsets[size_t(m) + 1]);
    for (const Subproblem::Pair &pair : problem.pairs)
      mostCost += largest(pair.ab, pair.ab + int64_t(problem.strategies(pair.a)) *
                                                 problem.strategies(pair.b));
  }

  SearchResult run() {
    if (!lay())
      return std::move(result);
    findPrices();
    size_t width = kFirstWidth;
    if (!done())
      search(width);
    bool settled = false; // the prices
    while (!done()) {
      const double before = result.bound;
      if (!settled && (hasArrived || width > kFirstWidth))
        raise();
      if (done())
        break;
      const double gain = result.bound - before;
      settled |= prefersAll && hasArrived && gain < 1e-5 * std::abs(result.bound);
      prefersAll |= hasArrived && gain < 1e-4 * std::abs(result.bound);
      const size_t widest = size_t(kMostLabels) / path->stages.size();
      if ((settled || !hasArrived) && width >= widest)
        break;
      width = std::min(4 * width, std::max(widest, kFirstWidth));
      search(width);
    }
    return std::move(result);
  }

private:
  /// Chooses what the tables hold such that they can be computed with a part of the work.
  bool lay() {
    const int64_t mostSteps = std::min(kMostSteps, options.mostEntries);
    for (int64_t mostStepsForAll : {std::min(kMostStepsOnce, options.mostEntries), mostSteps}) {
      path = std::make_unique<Path>(problem, mostStepsForAll, mostSteps);
      if (!path->fits())
        return false;
      tables = std::make_unique<PathTables>(*path);
      computed.reset();
      const bool all =
          std::find(path->isExact.begin(), path->isExact.end(), 0) == path->isExact.end();
      if (pass(options.mostWork / (all ? 2 : 4))) // with all rows one pass is enough
        return true;
      if (!all || options.stop())
        return false;
    }
    return false;
  }

  bool done() const {
    return result.exhausted || result.work >= options.mostWork || options.stop();
  }

  /// Costs in which the rows that are not exact are paid for. Prices are integers of 2^-scale, so
  /// that equal strategies get equal costs wherever in time they are.
  std::vector<double> paid() {
    double highest = 1e-30;
    for (double price : prices)
      highest = std::max(highest, price);
    const int scale = 46 - std::ilogb(highest);
    std::vector<Cost> before(prices.size() + 1, 0);
    Cost sum = 0;
    for (size_t r = 0; r < prices.size(); ++r) {
      const Cost price = std::llround(std::ldexp(prices[r], scale));
      before[r + 1] = before[r] + price;
      sum += price * problem.room[r];
    }
    credit = std::ldexp(double(sum), -scale);
    // Multiples of this add up exactly.
    const double grain = std::ldexp(1.0, std::ilogb(mostCost + credit + 1) - 50);
    std::vector<double> costs = problem.unary;
    for (size_t k = 0; k < costs.size(); ++k) {
      Cost price = 0;
      for (int32_t s = problem.spansOf[k].first; s < problem.spansOf[k].second; ++s) {
        const Span &span = problem.spans[size_t(s)];
        price += span.bytes * (before[size_t(span.last)] - before[size_t(span.first)]);
      }
      if (price > 0)
        costs[k] += std::floor(std::ldexp(double(price), -scale) / grain) * grain;
    }
    return costs;
  }

  /// Computes the tables for the present prices; returns whether that succeeded.
  bool pass(int64_t mostSteps) {
    if (computed == prices)
      return true;
    computed.reset();
    const int64_t before = tables->work;
    const std::optional<double> sum = tables->compute(paid(), mostSteps, options.stop);
    result.work += tables->work - before;
    if (!sum)
      return false;
    computed = prices;
    bound = *sum - credit;
    margin = problem.rounding + (credit > 0 ? 1e-11 * (credit + std::abs(bound) + 1) : 0);
    if (bound - margin > result.bound) {
      result.bound = bound - margin;
      bestPrices = prices;
    }
    const bool isBounded = isAllowed(result.cost);
    result.exhausted = isBounded ? bound > double(result.cost - 1) + margin : bound == kInfinite;
    return true;
  }

  /// Steps of the prices from the best ones on, along a smoothed subgradient (Polyak's step).
  void raise() {
    prices = bestPrices;
    direction.assign(prices.size(), 0.0);
    agility = std::max(agility, 0.02);
    int sinceBest = 0;
    const int64_t mostWork = std::min(options.mostWork, result.work + options.mostWork / 5);
    for (int k = 0; k < kPasses && sinceBest < kPatience && !done(); ++k) {
      const double before = result.bound;
      if (!pass(mostWork - result.work) || done())
        return;
      if (result.bound > before + 1e-7 * std::abs(before)) {
        sinceBest = 0;
        agility = std::min(1.5, agility * 1.3);
      } else if (++sinceBest % 4 == 0) {
        agility *= 0.5;
        prices = bestPrices;
        std::fill(direction.begin(), direction.end(), 0.0);
        continue;
      }
      if (!step())
        return;
    }
  }

  /// Returns, per row that is not exact, the usage of the relaxation's choices beyond the room, and
  /// takes them if there is none.
  std::vector<double> excess() {
    const std::vector<int32_t> relaxed = follow();
    std::vector<double> change(prices.size() + 1, 0);
    for (int32_t m = 0; m < problem.size(); ++m) {
      const auto [begin, end] =
          problem.spansOf[size_t(problem.offsets[size_t(m)] + relaxed[size_t(m)])];
      for (int32_t s = begin; s < end; ++s) {
        change[size_t(problem.spans[size_t(s)].first)] += double(problem.spans[size_t(s)].bytes);
        change[size_t(problem.spans[size_t(s)].last)] -= double(problem.spans[size_t(s)].bytes);
      }
    }
    std::vector<double> beyond(prices.size(), 0);
    double live = 0;
    bool feasible = true;
    for (size_t r = 0; r < prices.size(); ++r) {
      live += change[r];
      if (path->isExact[r])
        continue;
      beyond[r] = live - double(problem.room[r]);
      feasible &= beyond[r] <= 0;
    }
    if (feasible)
      offer(relaxed);
    return beyond;
  }

  /// The first prices: of the row that is exceeded most alone, as suits one peak, or of all that
  /// are exceeded, as suits a peak in each layer. Either leaves most layers equal.
  void findPrices() {
    const std::vector<double> beyond = excess();
    const auto worst = std::max_element(beyond.begin(), beyond.end());
    if (beyond.empty() || *worst <= 0 || result.exhausted)
      return;
    std::vector<double> one(beyond.size(), 0), all = beyond;
    one[size_t(worst - beyond.begin())] = *worst;
    for (double &bytes : all)
      bytes = std::max(bytes, 0.0);
    const double free = bound;
    const int64_t begin = result.work;
    const double before = searchLine(one, free, options.mostWork);
    prefersAll = searchLine(all, free, result.work + (result.work - begin)) > before;
  }

  /// Finds the best prices in a direction from none on, where the bound is `free`: it is concave
  /// and piecewise linear. Returns the best bound.
  double searchLine(const std::vector<double> &direction, double free, int64_t mostWork) {
    struct Line { // the bound as a function of the length, near some length
      double cost, slope;
    };
    Line below{free, 0}, above{0, 0};
    for (double bytes : direction)
      below.slope += bytes * bytes;
    double best = free, length = 0.15 * (std::abs(free) + 1) / below.slope;
    for (int k = 0; k < kLinePasses; ++k) {
      for (size_t r = 0; r < prices.size(); ++r)
        prices[r] = length * direction[r];
      if (!pass(mostWork - result.work) || done())
        break;
      best = std::max(best, bound);
      const std::vector<double> beyond = excess();
      double slope = 0;
      for (size_t r = 0; r < beyond.size(); ++r)
        slope += direction[r] * beyond[r];
      if (slope == 0 || done())
        break;
      (slope > 0 ? below : above) = {bound - length * slope, slope};
      if (above.slope == 0) {
        length *= 4;
        continue;
      }
      const double next = (above.cost - below.cost) / (below.slope - above.slope);
      if (below.cost + below.slope * next - best < 1e-3 * std::abs(best))
        break; // that is the most it can be
      length = next;
    }
    return best;
  }

  /// Returns false where the prices are right as they are.
  bool step() {
    const std::vector<double> beyond = excess();
    for (size_t r = 0; r < beyond.size(); ++r) { // few rows with prices leave more layers equal
      size_t worst = r;
      for (; r < beyond.size() && beyond[r] > 0; ++r) {
        active[r] |= prefersAll;
        if (beyond[r] > beyond[worst])
          worst = r;
      }
      if (worst < beyond.size() && beyond[worst] > 0)
        active[worst] = 1;
    }
    double length = 0;
    for (size_t r = 0; r < prices.size(); ++r) {
      if (!active[r] && prices[r] == 0)
        continue;
      direction[r] = 0.6 * direction[r] + 0.4 * beyond[r];
      if (direction[r] > 0 || prices[r] > 0)
        length += direction[r] * direction[r];
    }
    if (length == 0 || result.exhausted)
      return false;
    const double target =
        isAllowed(result.cost) ? double(result.cost) : bound + 0.02 * std::abs(bound) + 1;
    const double size = agility * std::max(target - bound, 1e-6 * std::abs(bound)) / length;
    for (size_t r = 0; r < prices.size(); ++r)
      prices[r] = std::max(0.0, prices[r] + size * direction[r]);
    return true;
  }

  /// Returns the choices that attain the bound.
  std::vector<int32_t> follow() {
    std::vector<int32_t> choices(size_t(problem.size()), 0), around;
    std::vector<double> links, values;
    for (size_t k = 0; k < path->stages.size(); ++k) {
      const Path::Stage &stage = path->stages[k];
      around.clear();
      for (int32_t m : stage.frontier)
        around.push_back(choices[size_t(m)]);
      links.assign(size_t(problem.strategies(stage.member)), 0);
      values = links;
      path->addCosts(stage, around, links.data());
      tables->addRise(k, PathTables::placeOf(*path, k, around), around, links.data(),
                      values.data());
      choices[size_t(stage.member)] =
          int32_t(std::min_element(values.begin(), values.end()) - values.begin());
    }
    result.work += problem.size();
    return choices;
  }

  void offer(const std::vector<int32_t> &choices) {
    const Cost cost = problem.costOf(choices);
    if (cost >= result.cost || !isAllowed(cost))
      return;
    result.cost = cost;
    result.choices = choices;
    result.improved = true;
    result.exhausted = bound > double(cost - 1) + margin;
  }

  /// Labels under the best prices.
  void search(size_t width) {
    prices = bestPrices;
    if (!pass(options.mostWork) || result.exhausted)
      return;
    LabelOptions labels;
    labels.bound = bound;
    labels.width = width;
    labels.mostWork = options.mostWork - result.work;
    labels.limit = isAllowed(result.cost) ? double(result.cost - 1) + margin : kInfinite;
    labels.stop = options.stop;
    const LabelResult found = setLabels(*path, *tables, labels);
    result.work += found.work;
    hasArrived |= found.found;
    if (found.found)
      offer(found.choices);
    // Whatever came through costs no less than the best of it; the pruned cost more.
    const double known = isAllowed(result.cost) ? double(result.cost) : kInfinite;
    if (problem.rounding == 0 && found.dropped - margin > known - 1)
      result.exhausted = true;
    else
      result.bound = std::max(result.bound, std::min(found.dropped, known) - margin);
  }

  const Subproblem &problem;
  const SearchOptions &options;
  std::unique_ptr<Path> path;
  std::unique_ptr<PathTables> tables;
  std::vector<double> prices, bestPrices, direction;
  std::optional<std::vector<double>> computed; // the prices of the tables, if they are complete
  std::vector<char> active;                    // rows with prices
  bool hasArrived = false;                     // a label
  bool prefersAll = false;                     // rather than the worst ones
  double mostCost = 0;                         // no allowed choices cost more
  double bound = 0, margin = 0, credit = 0, agility = 0.1;
  SearchResult result;
};

} // namespace

SearchResult searchPath(const Subproblem &problem, Cost upper, const SearchOptions &options) {
  return PathSearcher(problem, upper, options).run();
}

} // namespace ashlar::solver::detail
