// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Problem/Graph.h"

#include <algorithm>
#include <numeric>

namespace ashlar::solver::detail {
namespace {

/// Compressed time of one space: the rows are those of the times at which a usage begins and since
/// the begin of the row before one has ended.
class RowsOfSpace {
public:
  void add(int64_t lower, int64_t upper) { events.push_back({lower, upper}); }

  /// Numbers the rows from `firstRow` on and returns the number behind the last.
  int32_t number(int32_t firstRow) {
    std::vector<int64_t> starts, ends;
    for (const auto &[lower, upper] : events) {
      starts.push_back(lower);
      ends.push_back(upper);
    }
    std::sort(starts.begin(), starts.end());
    std::sort(ends.begin(), ends.end());
    first = firstRow;
    for (size_t i = 0, ended = 0; i < starts.size();) {
      // A row holds the starts up to the first end after the row's own begin.
      const int64_t firstEnd = ends[ended];
      rowStarts.push_back(starts[i]);
      while (i < starts.size() && starts[i] < firstEnd)
        ++i;
      while (i < starts.size() && ended < ends.size() && ends[ended] <= starts[i])
        ++ended;
    }
    return firstRow + int32_t(rowStarts.size());
  }

  /// The rows in which [lower, upper) lives: those whose last start it covers.
  Span rowsOf(int64_t lower, int64_t upper, int64_t bytes) const {
    auto row = [&](int64_t time) {
      return int32_t(std::upper_bound(rowStarts.begin(), rowStarts.end(), time) -
                     rowStarts.begin()) -
             1;
    };
    return {first + row(lower), first + row(upper - 1) + 1, bytes};
  }

private:
  std::vector<std::pair<int64_t, int64_t>> events;
  std::vector<int64_t> rowStarts;
  int32_t first = 0;
};

/// Joins the members of classes; the least member of each set stands for it.
std::vector<int32_t> representatives(const Problem &problem) {
  std::vector<int32_t> parent(problem.nodes.size());
  std::iota(parent.begin(), parent.end(), 0);
  auto find = [&](int32_t node) {
    while (parent[size_t(node)] != node)
      node = parent[size_t(node)] = parent[size_t(parent[size_t(node)])];
    return node;
  };
  for (const std::vector<int32_t> &members : problem.classes)
    for (int32_t member : members) {
      const int32_t a = find(members[0]), b = find(member);
      parent[size_t(std::max(a, b))] = std::min(a, b);
    }
  for (int32_t node = 0; node < int32_t(parent.size()); ++node)
    parent[size_t(node)] = find(node);
  return parent;
}

bool occupies(const Usage &usage) { return usage.lower < usage.upper && usage.bytes > 0; }

class Builder {
public:
  explicit Builder(const Problem &problem)
      : problem(problem), representative(representatives(problem)) {}

  Graph build() {
    numberRows();
    graph.variables.resize(problem.nodes.size());
    for (int32_t node = 0; node < int32_t(problem.nodes.size()); ++node)
      addNode(node);
    for (const Edge &edge : problem.edges)
      addEdge(edge);
    return std::move(graph);
  }

private:
  void numberRows() {
    rows.resize(problem.limits.size());
    for (const Node &node : problem.nodes)
      for (const Strategy &strategy : node.strategies)
        for (const Usage &usage : strategy.usages)
          if (occupies(usage))
            rows[size_t(usage.space)].add(usage.lower, usage.upper);
    int32_t count = 0;
    for (size_t space = 0; space < rows.size(); ++space) {
      count = rows[space].number(count);
      graph.limits.resize(size_t(count), problem.limits[space]);
    }
  }

  /// Adds a node's costs and usages to its variable; what it may not take becomes forbidden.
  void addNode(int32_t index) {
    const Node &node = problem.nodes[size_t(index)];
    const int32_t target = representative[size_t(index)];
    Variable &variable = graph.variables[size_t(target)];
    variable.costs.resize(node.strategies.size());
    if (target != index) {
      graph.variables[size_t(index)].alive = false;
      std::vector<int32_t> same(node.strategies.size());
      std::iota(same.begin(), same.end(), 0);
      graph.deduce(index, target, -1, 1, std::move(same));
    }
    for (size_t j = 0; j < node.strategies.size(); ++j) {
      const Strategy &strategy = node.strategies[j];
      bool allowed = strategy.cost < kForbidden && node.pinned.value_or(int32_t(j)) == int32_t(j);
      std::vector<Span> spans;
      for (const Usage &usage : strategy.usages)
        if (occupies(usage)) {
          allowed &= usage.bytes <= problem.limits[size_t(usage.space)];
          spans.push_back(rows[size_t(usage.space)].rowsOf(usage.lower, usage.upper, usage.bytes));
        }
      Cost &cost = variable.costs[j];
      cost = allowed ? add(cost, strategy.cost) : kInfinity;
      if (!allowed || spans.empty())
        continue;
      variable.usages.resize(node.strategies.size());
      Profile &profile = variable.usages[j];
      spans.insert(spans.end(), profile.begin(), profile.end());
      profile = sum(std::move(spans));
    }
  }

  void addEdge(const Edge &edge) {
    const int32_t a = representative[size_t(edge.first)];
    const int32_t b = representative[size_t(edge.second)];
    Matrix matrix{graph.variables[size_t(a)].size(), graph.variables[size_t(b)].size(), {}};
    matrix.costs.reserve(edge.costs.size());
    for (int64_t cost : edge.costs)
      matrix.costs.push_back(cost >= kForbidden ? kInfinity : Cost(cost));
    if (a != b) {
      graph.addLink(a, b, graph.pool.intern(std::move(matrix)));
      return;
    }
    for (int32_t j = 0; j < matrix.rows; ++j) { // both ends in one class
      Cost &cost = graph.variables[size_t(a)].costs[size_t(j)];
      cost = add(cost, matrix.row(j)[j]);
    }
  }

  const Problem &problem;
  const std::vector<int32_t> representative;
  std::vector<RowsOfSpace> rows;
  Graph graph;
};

} // namespace

int32_t Graph::addLink(int32_t first, int32_t second, MatrixId costs) {
  const int32_t id = int32_t(links.size());
  links.push_back({first, second, costs});
  variables[size_t(first)].links.push_back(id);
  variables[size_t(second)].links.push_back(id);
  return id;
}

void Graph::expand(std::vector<int32_t> &choices) const {
  for (auto it = trail.rbegin(); it != trail.rend(); ++it) {
    const int32_t a = it->a < 0 ? 0 : choices[size_t(it->a)];
    const int32_t b = it->b < 0 ? 0 : choices[size_t(it->b)];
    choices[size_t(it->variable)] = (*it->map)[size_t(a) * size_t(it->columns) + size_t(b)];
  }
}

std::vector<int32_t> Graph::restrict(const std::vector<int32_t> &choices) const {
  std::vector<int32_t> result = choices;
  for (const Deduction &deduction : trail)
    if (deduction.a == deduction.variable) {
      int32_t &choice = result[size_t(deduction.variable)];
      auto it = std::find(deduction.map->begin(), deduction.map->end(), choice);
      choice = it == deduction.map->end() ? -1 : int32_t(it - deduction.map->begin());
    }
  return result;
}

Graph buildGraph(const Problem &problem) { return Builder(problem).build(); }

} // namespace ashlar::solver::detail
