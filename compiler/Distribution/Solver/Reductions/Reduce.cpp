// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Reductions/Reduce.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "compiler/Distribution/Solver/Reductions/Dominance.h"
#include "compiler/Distribution/Solver/Reductions/ReduceRows.h"

namespace ashlar::solver::detail {
namespace {

constexpr int64_t kMostProducts = 200'000'000; // of an elimination of degree two
constexpr int64_t kMostEntries = 1'000'000;    // of the matrix that it leaves

class Reducer {
public:
  Reducer(Graph &graph, std::chrono::steady_clock::time_point deadline)
      : graph(graph), deadline(deadline), dirty(graph.variables.size(), 0),
        touched(graph.variables.size(), 0), dominance(graph) {
    for (int32_t v = 0; v < int32_t(graph.variables.size()); ++v)
      mark(v);
  }

  int64_t run() {
    relieve(); // what memory does not tell apart can share all that follows
    do {
      while (!graph.infeasible && round())
        ;
    } while (!graph.infeasible && !late && relieve());
    for (int64_t limit : graph.limits)
      graph.infeasible |= limit < 0;
    return work + dominance.work + graph.pool.work;
  }

private:
  /// Reduces the rows; returns whether that changed any variable.
  bool relieve() {
    std::vector<char> changed(dirty.size(), 0);
    if (!reduceRows(graph, changed))
      return false;
    for (int32_t v = 0; v < int32_t(changed.size()); ++v)
      if (changed[size_t(v)])
        mark(v);
    return true;
  }

  /// Visits each variable that something has happened to; returns whether any was.
  bool round() {
    std::vector<int32_t> visits;
    std::swap(visits, waiting);
    std::sort(visits.begin(), visits.end());
    for (int32_t v : touchedNow)
      touched[size_t(v)] = 0;
    touchedNow.clear();
    bool any = false;
    for (int32_t v : visits) {
      dirty[size_t(v)] = 0;
      if (!graph.variables[size_t(v)].alive)
        continue;
      any = true;
      if (touched[size_t(v)]) {
        mark(v); // the next round will do
        continue;
      }
      visit(v);
      late = (++visited & 63) == 0 && std::chrono::steady_clock::now() >= deadline;
      if (graph.infeasible || late)
        return false;
    }
    return any;
  }

  void visit(int32_t v) {
    ++work;
    Variable &variable = graph.variables[size_t(v)];
    tidyLinks(v);
    dropForbidden(v);
    if (graph.infeasible)
      return;
    settleUsage(v);
    const Cost least = *std::min_element(variable.costs.begin(), variable.costs.end());
    graph.constant += least;
    for (Cost &cost : variable.costs)
      cost -= least;
    dropDominated(v);
    if (mergeIntoNeighbour(v) || !variable.usages.empty())
      return;
    if (variable.links.empty())
      eliminateAlone(v);
    else if (variable.links.size() == 2)
      eliminateBetween(v);
  }

  void mark(int32_t v) {
    if (!dirty[size_t(v)])
      waiting.push_back(v);
    dirty[size_t(v)] = 1;
  }
  void touch(int32_t v) {
    mark(v);
    touchedNow.push_back(v);
    touched[size_t(v)] = 1;
  }
  void markNeighbours(int32_t v) {
    for (int32_t link : graph.variables[size_t(v)].links)
      mark(graph.links[size_t(link)].other(v));
  }

  /// Adds parallel links, takes common costs out of the links, and removes those that are left
  /// without any.
  void tidyLinks(int32_t v) {
    std::vector<int32_t> &links = graph.variables[size_t(v)].links;
    links.erase(std::remove_if(links.begin(), links.end(),
                               [&](int32_t l) { return !graph.links[size_t(l)].alive; }),
                links.end());
    std::sort(links.begin(), links.end(), [&](int32_t a, int32_t b) {
      return std::pair(graph.links[size_t(a)].other(v), a) <
             std::pair(graph.links[size_t(b)].other(v), b);
    });
    for (size_t i = 1; i < links.size(); ++i) {
      const int32_t before = links[i - 1], link = links[i];
      if (graph.links[size_t(before)].other(v) != graph.links[size_t(link)].other(v))
        continue;
      graph.links[size_t(before)].alive = false;
      graph.links[size_t(link)].costs =
          graph.pool.sum(graph.links[size_t(link)].costs,
                         graph.links[size_t(before)].first == graph.links[size_t(link)].first
                             ? graph.links[size_t(before)].costs
                             : graph.pool.transpose(graph.links[size_t(before)].costs));
      mark(graph.links[size_t(link)].other(v));
    }
    for (int32_t id : links)
      if (graph.links[size_t(id)].alive)
        split(graph.links[size_t(id)]);
    links.erase(std::remove_if(links.begin(), links.end(),
                               [&](int32_t l) { return !graph.links[size_t(l)].alive; }),
                links.end());
  }

  void split(Link &link) {
    const MatrixPool::Split &parts = graph.pool.split(link.costs);
    if (parts.changed) {
      addCosts(link.first, parts.rowMinima);
      addCosts(link.second, parts.columnMinima);
      link.costs = parts.reduced;
    }
    if (parts.zero) {
      link.alive = false;
      mark(link.first);
      mark(link.second);
    }
  }

  void addCosts(int32_t v, const std::vector<Cost> &costs) {
    Variable &variable = graph.variables[size_t(v)];
    for (size_t j = 0; j < costs.size(); ++j) {
      if (costs[j] != 0)
        mark(v);
      variable.costs[j] = add(variable.costs[j], costs[j]);
    }
  }

  /// Keeps the listed strategies of v and forgets the others.
  void keep(int32_t v, std::vector<int32_t> kept) {
    Variable &variable = graph.variables[size_t(v)];
    for (size_t k = 0; k < kept.size(); ++k) {
      variable.costs[k] = variable.costs[size_t(kept[k])];
      if (!variable.usages.empty() && size_t(kept[k]) != k)
        variable.usages[k] = std::move(variable.usages[size_t(kept[k])]);
    }
    variable.costs.resize(kept.size());
    if (!variable.usages.empty())
      variable.usages.resize(kept.size());
    for (int32_t id : variable.links) {
      Link &link = graph.links[size_t(id)];
      const MatrixId rows = graph.pool.select(graph.costsSeenFrom(id, v), kept);
      link.costs = link.first == v ? rows : graph.pool.transpose(rows);
    }
    markNeighbours(v);
    mark(v);
    graph.deduce(v, v, -1, 1, std::move(kept));
  }

  void dropForbidden(int32_t v) {
    const Variable &variable = graph.variables[size_t(v)];
    std::vector<int32_t> kept;
    for (int32_t j = 0; j < variable.size(); ++j)
      if (isAllowed(variable.costs[size_t(j)]))
        kept.push_back(j);
    if (kept.empty())
      graph.infeasible = true;
    else if (int32_t(kept.size()) < variable.size())
      keep(v, std::move(kept));
  }

  /// Takes the usage that all strategies share off the limits.
  void settleUsage(int32_t v) {
    Variable &variable = graph.variables[size_t(v)];
    if (variable.usages.empty())
      return;
    const Profile common = least(variable.usages);
    bool empty = true;
    for (Profile &usage : variable.usages) {
      if (!common.empty())
        usage = difference(usage, common);
      empty &= usage.empty();
    }
    for (const Span &span : common)
      for (int32_t r = span.first; r < span.last; ++r)
        graph.limits[size_t(r)] -= span.bytes;
    if (empty)
      variable.usages.clear();
  }

  void dropDominated(int32_t v) {
    std::vector<int32_t> kept = dominance.undominated(v);
    if (int32_t(kept.size()) < graph.variables[size_t(v)].size())
      keep(v, std::move(kept));
  }

  // --- variables whose choice follows from a neighbour's

  bool mergeIntoNeighbour(int32_t v) {
    for (int32_t link : graph.variables[size_t(v)].links) {
      const int32_t u = graph.links[size_t(link)].other(v);
      std::vector<int32_t> map = determined(link, u, v);
      if (map.empty())
        continue;
      if (graph.variables[size_t(u)].links.size() < graph.variables[size_t(v)].links.size() &&
          !determined(link, v, u).empty()) {
        mark(u); // it has less to bring along
        continue;
      }
      if (touched[size_t(u)]) {
        mark(v); // the next round will do
        continue;
      }
      merge(link, u, v, std::move(map));
      return true;
    }
    return false;
  }

  /// Returns what v takes for each strategy of u, or nothing if that is not decided.
  std::vector<int32_t> determined(int32_t link, int32_t u, int32_t v) {
    const Matrix &matrix = graph.pool[graph.costsSeenFrom(link, u)];
    const Variable &variable = graph.variables[size_t(v)];
    const bool leaf = variable.links.size() == 1;
    std::vector<int32_t> map;
    for (int32_t i = 0; i < matrix.rows; ++i) {
      const Cost *row = matrix.row(i);
      int32_t best = -1;
      for (int32_t j = 0; j < matrix.columns; ++j)
        if (isAllowed(row[j])) {
          if (best >= 0 && !leaf)
            return {};
          if (best < 0 ||
              row[j] + variable.costs[size_t(j)] < row[best] + variable.costs[size_t(best)])
            best = j;
        }
      if (leaf && best >= 0 && !variable.usages.empty()) {
        // Among equally cheap ones the one that uses least; then it must be below all others.
        const Cost cost = row[best] + variable.costs[size_t(best)];
        for (int32_t j = 0; j < matrix.columns; ++j)
          if (j != best && isAllowed(row[j]) && row[j] + variable.costs[size_t(j)] == cost &&
              within(variable.usages[size_t(j)], variable.usages[size_t(best)]))
            best = j;
        for (int32_t j = 0; j < matrix.columns; ++j)
          if (j != best && isAllowed(row[j]) &&
              !within(variable.usages[size_t(best)], variable.usages[size_t(j)]))
            return {};
      }
      map.push_back(std::max(best, 0)); // a strategy of u without support is about to be dropped
    }
    return map;
  }

  void merge(int32_t link, int32_t u, int32_t v, std::vector<int32_t> map) {
    Variable &from = graph.variables[size_t(v)], &into = graph.variables[size_t(u)];
    const Matrix &matrix = graph.pool[graph.costsSeenFrom(link, u)];
    for (size_t i = 0; i < map.size(); ++i)
      into.costs[i] =
          add(into.costs[i], add(matrix.row(int32_t(i))[map[i]], from.costs[size_t(map[i])]));
    if (!from.usages.empty()) {
      into.usages.resize(map.size());
      for (size_t i = 0; i < map.size(); ++i)
        into.usages[i] = sum(into.usages[i], from.usages[size_t(map[i])]);
    }
    graph.links[size_t(link)].alive = false;
    for (int32_t id : from.links)
      if (id != link) {
        const MatrixId rows = graph.pool.select(graph.costsSeenFrom(id, v), map);
        const int32_t other = graph.links[size_t(id)].other(v);
        graph.links[size_t(id)].alive = false;
        graph.addLink(u, other, rows);
        mark(other);
      }
    mark(u);
    retire(v);
    graph.deduce(v, u, -1, 1, std::move(map));
  }

  void retire(int32_t v) {
    Variable &variable = graph.variables[size_t(v)];
    variable = Variable();
    variable.alive = false;
  }

  // --- variables without usage

  void eliminateAlone(int32_t v) {
    Variable &variable = graph.variables[size_t(v)];
    const auto best = std::min_element(variable.costs.begin(), variable.costs.end());
    graph.constant += *best;
    const int32_t choice = int32_t(best - variable.costs.begin());
    retire(v);
    graph.deduce(v, -1, -1, 1, {choice});
  }

  void eliminateBetween(int32_t v) {
    Variable &variable = graph.variables[size_t(v)];
    const int32_t ends[2] = {graph.links[size_t(variable.links[0])].other(v),
                             graph.links[size_t(variable.links[1])].other(v)};
    if (touched[size_t(ends[0])] || touched[size_t(ends[1])]) {
      mark(v);
      return;
    }
    const MatrixId a = graph.costsSeenFrom(variable.links[0], ends[0]);
    const MatrixId b = graph.costsSeenFrom(variable.links[1], ends[1]);
    const int64_t entries = int64_t(graph.pool[a].rows) * graph.pool[b].rows;
    if (entries > kMostEntries || entries * variable.size() > kMostProducts)
      return;
    const MatrixPool::Product &joined = graph.pool.product(a, b, variable.costs);
    for (int32_t id : variable.links)
      graph.links[size_t(id)].alive = false;
    const int32_t columns = graph.pool[b].rows;
    retire(v);
    graph.trail.push_back({v, ends[0], ends[1], columns, joined.choices});
    graph.addLink(ends[0], ends[1], joined.costs);
    touch(ends[0]);
    touch(ends[1]);
  }

  Graph &graph;
  const std::chrono::steady_clock::time_point deadline;
  bool late = false;
  int64_t visited = 0;
  std::vector<char> dirty; // waits for a visit
  std::vector<int32_t> waiting;
  std::vector<char> touched; // in this round, by an elimination beside
  std::vector<int32_t> touchedNow;
  int64_t work = 0;
  Dominance dominance;
};

} // namespace

int64_t reduce(Graph &graph, std::chrono::steady_clock::time_point deadline) {
  return Reducer(graph, deadline).run();
}

} // namespace ashlar::solver::detail
