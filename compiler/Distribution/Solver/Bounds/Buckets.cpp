// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Bounds/Buckets.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "compiler/Distribution/Solver/Problem/Kernels.h"

namespace ashlar::solver::detail {

Buckets::Buckets(const Subproblem &problem, int64_t mostEntries, bool allocate) : problem(problem) {
  chooseOrder();
  layOut(mostEntries, allocate);
}

/// Eliminates next what makes the smallest table. Neighbourhoods that have grown beyond any table
/// are no longer filled in: the mini-buckets will not see them together.
void Buckets::chooseOrder() {
  constexpr double kLargest = 40; // bits
  const int32_t size = problem.size();
  std::vector<std::vector<int32_t>> near(static_cast<size_t>(size));
  for (const Subproblem::Pair &pair : problem.pairs) {
    near[size_t(pair.a)].push_back(pair.b);
    near[size_t(pair.b)].push_back(pair.a);
  }
  std::vector<double> bits(static_cast<size_t>(size)), keys(static_cast<size_t>(size));
  for (int32_t m = 0; m < size; ++m) {
    std::vector<int32_t> &its = near[size_t(m)];
    std::sort(its.begin(), its.end());
    its.erase(std::unique(its.begin(), its.end()), its.end()); // links may be parallel
    bits[size_t(m)] = std::log2(double(problem.strategies(m)));
  }
  auto keyOf = [&](int32_t m) {
    double key = bits[size_t(m)];
    for (int32_t other : near[size_t(m)])
      key += bits[size_t(other)];
    return key;
  };
  std::set<std::pair<double, int32_t>> queue;
  for (int32_t m = 0; m < size; ++m)
    queue.emplace(keys[size_t(m)] = keyOf(m), m);
  std::vector<int32_t> joined;
  while (!queue.empty()) {
    const auto [key, m] = *queue.begin();
    queue.erase(queue.begin());
    elimination.push_back(m);
    const std::vector<int32_t> around = near[size_t(m)];
    for (int32_t other : around) {
      std::vector<int32_t> &its = near[size_t(other)];
      its.erase(std::lower_bound(its.begin(), its.end(), m));
      if (key <= kLargest) {
        joined.clear();
        std::set_union(its.begin(), its.end(), around.begin(), around.end(),
                       std::back_inserter(joined));
        joined.erase(std::lower_bound(joined.begin(), joined.end(), other));
        its = joined;
      }
      queue.erase({keys[size_t(other)], other});
      queue.emplace(keys[size_t(other)] = keyOf(other), other);
    }
  }
  position.resize(size_t(size));
  for (int32_t k = 0; k < size; ++k)
    position[size_t(elimination[size_t(k)])] = k;
  decisions.assign(elimination.rbegin(), elimination.rend());
}

void Buckets::layOut(int64_t mostEntries, bool allocate) {
  struct Pending {
    const double *costs;
    int64_t begin;
    std::vector<int32_t> scope; // the latest eliminated first, the bucket's member last
    size_t number;
  };
  size_t number = 0;
  std::vector<std::vector<Pending>> pending(static_cast<size_t>(problem.size()));
  for (const Subproblem::Pair &pair : problem.pairs) {
    const bool aFirst = position[size_t(pair.a)] < position[size_t(pair.b)];
    const int32_t early = aFirst ? pair.a : pair.b, late = aFirst ? pair.b : pair.a;
    pending[size_t(early)].push_back({aFirst ? pair.ba : pair.ab, 0, {late, early}, number++});
  }
  auto later = [&](int32_t a, int32_t b) { return position[size_t(a)] > position[size_t(b)]; };
  int64_t tableSize = 0;
  bucketsOf.resize(size_t(problem.size()));
  for (int32_t m : elimination) {
    std::vector<Pending> &functions = pending[size_t(m)];
    std::sort(functions.begin(), functions.end(), [](const Pending &a, const Pending &b) {
      return a.scope.size() != b.scope.size() ? a.scope.size() > b.scope.size()
                                              : a.number < b.number;
    });
    const int32_t begin = int32_t(buckets.size());
    buckets.push_back({m, true, {}, {}, 0});
    for (Pending &function : functions) {
      function.scope.pop_back(); // m itself
      std::vector<int32_t> scope;
      MiniBucket *fits = nullptr;
      for (size_t b = size_t(begin); b < buckets.size() && !fits; ++b) {
        scope.clear();
        std::set_union(buckets[b].scope.begin(), buckets[b].scope.end(), function.scope.begin(),
                       function.scope.end(), std::back_inserter(scope), later);
        double entries = problem.strategies(m);
        for (int32_t other : scope)
          entries *= problem.strategies(other);
        if (entries <= double(mostEntries) || scope.size() == buckets[b].scope.size() ||
            buckets[b].functions.empty())
          fits = &buckets[b];
      }
      if (!fits) {
        isExact = false;
        scope = function.scope;
        buckets.push_back({m, false, {}, {}, 0});
        fits = &buckets.back();
      }
      fits->scope = scope;
      Function placed{function.costs, function.begin, function.scope, {}};
      placed.strides.resize(function.scope.size());
      int64_t stride = problem.strategies(m);
      for (size_t k = function.scope.size(); k-- > 0;) {
        placed.strides[k] = stride;
        stride *= problem.strategies(function.scope[k]);
      }
      fits->functions.push_back(std::move(placed));
    }
    functions.clear();
    bucketsOf[size_t(m)] = {begin, int32_t(buckets.size())};
    for (size_t b = size_t(begin); b < buckets.size(); ++b) {
      MiniBucket &bucket = buckets[b];
      bucket.message = tableSize;
      int64_t entries = 1;
      for (int32_t other : bucket.scope)
        entries *= problem.strategies(other);
      tableSize += entries;
      combinations += entries * problem.strategies(m);
      if (!bucket.scope.empty())
        pending[size_t(bucket.scope.back())].push_back(
            {nullptr, bucket.message, bucket.scope, number++});
    }
  }
  if (allocate)
    tables.resize(size_t(tableSize));
}

double Buckets::compute(const std::vector<double> &unary) {
  prices = unary;
  double bound = 0;
  for (const MiniBucket &bucket : buckets) {
    minimise(bucket, unary);
    if (bucket.scope.empty())
      bound += tables[size_t(bucket.message)];
  }
  return bound;
}

void Buckets::minimise(const MiniBucket &bucket, const std::vector<double> &unary) {
  const int32_t m = bucket.member;
  const size_t width = size_t(problem.strategies(m)), depth = bucket.scope.size();
  const size_t functions = bucket.functions.size();
  // The functions that mention the innermost variable of the scope come last and are added in the
  // inner loop; the sum of the others is kept.
  std::vector<const double *> at(functions);
  std::vector<int64_t> innerStride(functions, 0);
  std::vector<std::vector<int64_t>> strides(depth, std::vector<int64_t>(functions, 0));
  for (size_t f = 0; f < functions; ++f) {
    const Function &function = bucket.functions[f];
    at[f] = costsOf(function);
    for (size_t k = 0, d = 0; k < function.scope.size(); ++k) {
      while (bucket.scope[d] != function.scope[k])
        ++d;
      strides[d][f] = function.strides[k];
    }
    if (depth > 0)
      innerStride[f] = strides[depth - 1][f];
  }
  const size_t inner = depth > 0 ? size_t(problem.strategies(bucket.scope[depth - 1])) : 1;
  std::vector<int32_t> index(depth, 0);
  std::vector<double> kept(width), total(width);
  std::vector<const double *> varying;
  std::vector<ptrdiff_t> varyingStrides;
  double *out = tables.data() + bucket.message;
  while (true) {
    for (size_t x = 0; x < width; ++x)
      kept[x] = bucket.withUnary ? unary[size_t(problem.offsets[size_t(m)]) + x] : 0;
    varying.clear();
    varyingStrides.clear();
    for (size_t f = 0; f < functions; ++f)
      if (innerStride[f] == 0) {
        for (size_t x = 0; x < width; ++x)
          kept[x] += at[f][x];
      } else {
        varying.push_back(at[f]);
        varyingStrides.push_back(innerStride[f]);
      }
    minimiseSums(kept.data(), varying.data(), varyingStrides.data(), varying.size(), inner, width,
                 total.data(), out);
    out += inner;
    if (depth <= 1)
      return;
    size_t d = depth - 1; // advance the odometer of the others
    while (d-- > 0) {
      const int32_t count = problem.strategies(bucket.scope[d]);
      ++index[d];
      for (size_t f = 0; f < functions; ++f)
        at[f] += strides[d][f];
      if (index[d] < count)
        break;
      index[d] = 0;
      for (size_t f = 0; f < functions; ++f)
        at[f] -= strides[d][f] * count;
      if (d == 0)
        return;
    }
  }
}

void Buckets::evaluate(int32_t m, const std::vector<int32_t> &choices, double bound,
                       double *values) const {
  const size_t width = size_t(problem.strategies(m));
  const auto [begin, end] = bucketsOf[size_t(m)];
  for (int32_t b = begin; b < end; ++b) {
    const MiniBucket &bucket = buckets[size_t(b)];
    int64_t stride = 1, offset = 0;
    for (size_t k = bucket.scope.size(); k-- > 0;) {
      offset += stride * choices[size_t(bucket.scope[k])];
      stride *= problem.strategies(bucket.scope[k]);
    }
    bound -= tables[size_t(bucket.message + offset)];
  }
  const double *unary = prices.data() + problem.offsets[size_t(m)];
  for (size_t x = 0; x < width; ++x)
    values[x] = bound + unary[x];
  for (int32_t b = begin; b < end; ++b)
    for (const Function &function : buckets[size_t(b)].functions) {
      const double *costs = costsOf(function);
      for (size_t k = 0; k < function.scope.size(); ++k)
        costs += function.strides[k] * choices[size_t(function.scope[k])];
      for (size_t x = 0; x < width; ++x)
        values[x] += costs[x];
    }
}

} // namespace ashlar::solver::detail
