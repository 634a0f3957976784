// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Bounds/Dual.h"

#include <algorithm>
#include <cmath>

#include "compiler/Distribution/Solver/Problem/Kernels.h"

namespace ashlar::solver::detail {
namespace {

constexpr int64_t kPassesBeforePrices = 10; // while memory is free the messages settle

} // namespace

Dual::Dual(const Core &core)
    : core(core), begins(size_t(core.size())), shares(size_t(core.size())), unary(core.costs),
      prices(size_t(core.rows()), 0), bestOf(prices), direction(prices) {
  int64_t size = 0;
  for (int32_t v = 0; v < core.size(); ++v) {
    size_t before = 0;
    for (const Core::Neighbour &near : core.neighbours[size_t(v)]) {
      begins[size_t(v)].push_back(size);
      size += core.strategies(v);
      before += near.other < v;
      ++links;
      work += int64_t(core.strategies(v)) * core.strategies(near.other);
    }
    shares[size_t(v)] =
        1.0 / double(std::max<size_t>({1, before, core.neighbours[size_t(v)].size() - before}));
  }
  messages.assign(size_t(size), 0);
}

double Dual::pass(double target) {
  pay();
  sweep(true);
  const double bound = sweep(false) - credit;
  if (bound > best) {
    sinceBest = 0;
    if (bound > best + 0.1 * ambition)
      ambition *= 1.1;
    best = bound;
    bestOf = prices;
    proven = std::max(proven, bound - rounding(bound));
  } else if (++sinceBest >= 8) { // too far: back, and more modestly
    sinceBest = 0;
    ambition *= 0.5;
    prices = bestOf;
    std::fill(direction.begin(), direction.end(), 0.0);
    return bound;
  }
  if (++passes == kPassesBeforePrices)
    ambition = 0.02 * std::abs(best) + 1;
  if (passes >= kPassesBeforePrices)
    step(bound, target);
  return bound;
}

/// A bound on the rounding errors of a pass: each variable and link adds some, relative to sums
/// that count only where they are below the bound.
double Dual::rounding(double bound) const {
  return std::ldexp((std::abs(bound) + credit) * double(core.size() + links), -50);
}

/// Adds the price of memory to the strategies' costs.
void Dual::pay() {
  std::vector<double> before(prices.size() + 1, 0);
  credit = 0;
  for (size_t r = 0; r < prices.size(); ++r) {
    before[r + 1] = before[r] + prices[r];
    credit += prices[r] * double(core.graph.limits[r]);
  }
  unary = core.costs;
  for (int32_t v = 0; v < core.size(); ++v)
    for (size_t j = 0; j < core.usages(v).size(); ++j)
      for (const Span &span : core.usages(v)[j])
        unary[size_t(core.offsets[size_t(v)]) + j] +=
            double(span.bytes) * (before[size_t(span.last)] - before[size_t(span.first)]);
}

/// Sends messages along all links in one direction. Returns the sum of what was taken out of the
/// variables and messages to make their minima 0: on the way back, a bound.
double Dual::sweep(bool forth) {
  double bound = 0;
  std::vector<double> sum, share;
  for (int32_t i = 0; i < core.size(); ++i) {
    const int32_t v = forth ? i : core.size() - 1 - i;
    const size_t size = size_t(core.strategies(v));
    sum.assign(unary.begin() + core.offsets[size_t(v)],
               unary.begin() + core.offsets[size_t(v) + 1]);
    const auto &neighbours = core.neighbours[size_t(v)];
    for (size_t k = 0; k < neighbours.size(); ++k) {
      const double *message = incoming(v, k);
      for (size_t x = 0; x < size; ++x)
        sum[x] += message[x];
    }
    const double least = *std::min_element(sum.begin(), sum.end());
    bound += least;
    if (least == kInfinite)
      continue; // nothing is allowed here
    for (double &cost : sum)
      cost = shares[size_t(v)] * (cost - least);
    for (size_t k = 0; k < neighbours.size(); ++k) {
      const Core::Neighbour &near = neighbours[k];
      if (near.other > v != forth)
        continue;
      const double *message = incoming(v, k);
      share.resize(size);
      for (size_t x = 0; x < size; ++x)
        share[x] = sum[x] - message[x];
      const size_t width = size_t(core.strategies(near.other));
      double *out = incoming(near.other, size_t(near.back));
      const double *matrix = core.neighbours[size_t(near.other)][size_t(near.back)].costs;
      minimiseRows(share.data(), matrix, size, width, out);
      const double lowest = *std::min_element(out, out + width);
      bound += lowest;
      if (lowest == kInfinite)
        continue;
      for (size_t y = 0; y < width; ++y)
        out[y] -= lowest;
    }
  }
  return bound;
}

void Dual::step(double bound, double target) {
  if (prices.empty())
    return;
  std::vector<int32_t> choices;
  decode(false, choices);
  std::vector<double> excess(prices.size() + 1, 0);
  for (int32_t v = 0; v < core.size(); ++v)
    if (!core.usages(v).empty())
      for (const Span &span : core.usages(v)[size_t(choices[size_t(v)])]) {
        excess[size_t(span.first)] += double(span.bytes);
        excess[size_t(span.last)] -= double(span.bytes);
      }
  double length = 0, live = 0;
  for (size_t r = 0; r < prices.size(); ++r) {
    live += excess[r];
    direction[r] = 0.7 * direction[r] + 0.3 * (live - double(core.graph.limits[r]));
    if (direction[r] > 0 || prices[r] > 0)
      length += direction[r] * direction[r];
  }
  if (length == 0)
    return;
  const double aim = std::min(target, std::max(best, bound) + ambition);
  const double size = std::clamp(aim - bound, 0.0, 2 * ambition) / length;
  for (size_t r = 0; r < prices.size(); ++r)
    prices[r] = std::max(0.0, prices[r] + size * direction[r]);
}

bool Dual::decode(bool withinRows, std::vector<int32_t> &choices) const {
  choices.assign(size_t(core.size()), 0);
  std::vector<int64_t> left = core.graph.limits;
  std::vector<double> sum;
  for (int32_t v = 0; v < core.size(); ++v) {
    sum.assign(unary.begin() + core.offsets[size_t(v)],
               unary.begin() + core.offsets[size_t(v) + 1]);
    const auto &neighbours = core.neighbours[size_t(v)];
    for (size_t k = 0; k < neighbours.size(); ++k) {
      const Core::Neighbour &near = neighbours[k];
      const double *costs = near.other < v
                                ? near.costs + size_t(choices[size_t(near.other)]) * sum.size()
                                : incoming(v, k);
      for (size_t x = 0; x < sum.size(); ++x)
        sum[x] += costs[x];
    }
    const std::vector<Profile> &usages = core.usages(v);
    while (true) {
      const auto least = std::min_element(sum.begin(), sum.end());
      const size_t j = size_t(least - sum.begin());
      choices[size_t(v)] = int32_t(j);
      if (!withinRows)
        break;
      if (*least == kInfinite)
        return false;
      *least = kInfinite;
      if (usages.empty())
        break;
      const bool fits = std::all_of(usages[j].begin(), usages[j].end(), [&](const Span &span) {
        return *std::min_element(left.begin() + span.first, left.begin() + span.last) >= span.bytes;
      });
      if (!fits)
        continue;
      for (const Span &span : usages[j])
        for (int32_t r = span.first; r < span.last; ++r)
          left[size_t(r)] -= span.bytes;
      break;
    }
  }
  return true;
}

} // namespace ashlar::solver::detail
