// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Problem/Core.h"

#include <algorithm>

namespace ashlar::solver::detail {
namespace {

double toDouble(Cost cost) { return isAllowed(cost) ? double(cost) : kInfinite; }

} // namespace

Core::Core(Graph &graph) : graph(graph) {
  std::vector<int32_t> indexOf(graph.variables.size(), -1);
  offsets.push_back(0);
  for (size_t v = 0; v < graph.variables.size(); ++v) {
    if (!graph.variables[v].alive)
      continue;
    indexOf[v] = size();
    variables.push_back(int32_t(v));
    double highest = 0;
    for (Cost cost : graph.variables[v].costs) {
      costs.push_back(toDouble(cost));
      if (isAllowed(cost))
        highest = std::max(highest, std::abs(costs.back()));
    }
    mostCost += highest;
    offsets.push_back(int32_t(costs.size()));
  }
  neighbours.resize(variables.size());
  size_t links = 0;
  for (Link &link : graph.links)
    if (link.alive)
      graph.pool.transpose(link.costs);
  matrices.resize(graph.pool.size());
  for (const Link &link : graph.links) {
    if (!link.alive)
      continue;
    const int32_t first = indexOf[size_t(link.first)], second = indexOf[size_t(link.second)];
    ++links;
    const int32_t places[2] = {int32_t(neighbours[size_t(first)].size()),
                               int32_t(neighbours[size_t(second)].size())};
    const MatrixId ids[2] = {link.costs, graph.pool.transpose(link.costs)};
    for (int end = 0; end < 2; ++end) {
      std::vector<double> &values = matrices[size_t(ids[end])];
      const Matrix &exact = graph.pool[ids[end]];
      if (values.empty())
        for (Cost cost : exact.costs)
          values.push_back(toDouble(cost));
      neighbours[size_t(end == 0 ? second : first)].push_back(
          {end == 0 ? first : second, places[end], values.data(), &exact});
    }
    double highest = 0;
    for (double cost : matrices[size_t(ids[0])])
      if (cost < kInfinite)
        highest = std::max(highest, cost);
    mostCost += highest;
  }
  // Integers up to 2^53 add up exactly.
  constexpr double kExact = 9007199254740992.0;
  rounding = mostCost < kExact ? 0 : mostCost / kExact * double(2 + variables.size() + links);
}

Cost Core::costOf(const std::vector<int32_t> &choices) const {
  Cost cost = graph.constant;
  for (int32_t v = 0; v < size(); ++v) {
    cost = add(cost, source(v).costs[size_t(choices[size_t(v)])]);
    for (const Neighbour &near : neighbours[size_t(v)])
      if (near.other < v)
        cost = add(cost, near.exact->row(choices[size_t(near.other)])[choices[size_t(v)]]);
  }
  return cost;
}

std::vector<int64_t> Core::slackOf(const std::vector<int32_t> &choices) const {
  std::vector<int64_t> slack = graph.limits;
  for (int32_t v = 0; v < size(); ++v)
    if (!usages(v).empty())
      for (const Span &span : usages(v)[size_t(choices[size_t(v)])])
        for (int32_t r = span.first; r < span.last; ++r)
          slack[size_t(r)] -= span.bytes;
  return slack;
}

std::vector<int32_t> Core::expand(const std::vector<int32_t> &choices) const {
  std::vector<int32_t> full(graph.variables.size(), 0);
  for (int32_t v = 0; v < size(); ++v)
    full[size_t(variables[size_t(v)])] = choices[size_t(v)];
  graph.expand(full);
  return full;
}

std::vector<int32_t> Core::restrict(const std::vector<int32_t> &full) const {
  const std::vector<int32_t> all = graph.restrict(full);
  std::vector<int32_t> choices;
  for (int32_t v : variables)
    choices.push_back(all[size_t(v)]);
  return choices;
}

} // namespace ashlar::solver::detail
