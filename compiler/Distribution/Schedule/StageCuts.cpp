// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Schedule/StageCuts.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ashlar::schedule {

std::vector<size_t> cutChain(const std::vector<Link> &chain, size_t stages) {
  const size_t n = chain.size();
  std::vector<double> before(n + 1); // work of the links before one
  for (size_t i = 0; i < n; ++i)
    before[i + 1] = before[i] + chain[i].work;
  auto transfer = [&](size_t cut) { return cut == 0 || cut == n ? 0 : chain[cut].transfer; };

  // The slowest run so far, then all transfers.
  using Cost = std::pair<double, double>;
  constexpr Cost none = {std::numeric_limits<double>::infinity(), 0};
  std::vector<std::vector<Cost>> best(stages + 1, std::vector<Cost>(n + 1, none));
  std::vector<std::vector<size_t>> begins(stages + 1, std::vector<size_t>(n + 1));
  best[0][0] = {0, 0};
  for (size_t stage = 1; stage <= stages; ++stage)
    for (size_t end = stage; end <= n; ++end)
      for (size_t begin = stage - 1; begin < end; ++begin) {
        const Cost &start = best[stage - 1][begin];
        const double run = before[end] - before[begin] + transfer(begin) + transfer(end);
        const Cost cost = {std::max(start.first, run), start.second + transfer(end)};
        if (cost < best[stage][end]) {
          best[stage][end] = cost;
          begins[stage][end] = begin;
        }
      }
  std::vector<size_t> first(stages);
  for (size_t stage = stages, end = n; stage > 0; --stage)
    first[stage - 1] = end = begins[stage][end];
  return first;
}

} // namespace ashlar::schedule
