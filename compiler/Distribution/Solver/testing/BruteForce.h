// The optimum by trying everything, for tests on small problems. Shares no code with the solver or
// the check.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_TESTING_BRUTEFORCE_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_TESTING_BRUTEFORCE_H

#include "compiler/Distribution/Solver/Solver.h"

namespace ashlar::solver {

class BruteForce {
public:
  explicit BruteForce(const Problem &problem) : problem(problem), choices(problem.nodes.size(), 0) {
    tryNode(0);
  }

  /// The least cost of any solution, if there is one.
  std::optional<Cost> optimum;

private:
  void tryNode(size_t i) {
    if (i == choices.size()) {
      if (std::optional<Cost> cost = price(); cost && (!optimum || *cost < *optimum))
        optimum = cost;
      return;
    }
    for (size_t j = 0; j < problem.nodes[i].strategies.size(); ++j) {
      choices[i] = int32_t(j);
      tryNode(i + 1);
    }
  }

  const Strategy &taken(size_t i) const { return problem.nodes[i].strategies[size_t(choices[i])]; }

  std::optional<Cost> price() const {
    Cost cost = 0;
    for (size_t i = 0; i < choices.size(); ++i) {
      if (taken(i).cost >= kForbidden || problem.nodes[i].pinned.value_or(choices[i]) != choices[i])
        return std::nullopt;
      cost += taken(i).cost;
    }
    for (const Edge &edge : problem.edges) {
      const size_t a = size_t(edge.first), b = size_t(edge.second);
      const int64_t added =
          edge.costs[size_t(choices[a]) * problem.nodes[b].strategies.size() + size_t(choices[b])];
      if (added >= kForbidden)
        return std::nullopt;
      cost += added;
    }
    for (const std::vector<int32_t> &members : problem.classes)
      for (int32_t member : members)
        if (choices[size_t(member)] != choices[size_t(members[0])])
          return std::nullopt;
    // Memory can only run out when something begins.
    for (size_t i = 0; i < choices.size(); ++i)
      for (const Usage &usage : taken(i).usages)
        if (usage.lower < usage.upper &&
            liveAt(usage.space, usage.lower) > problem.limits[size_t(usage.space)])
          return std::nullopt;
    return cost;
  }

  Cost liveAt(int32_t space, int64_t time) const {
    Cost live = 0;
    for (size_t i = 0; i < choices.size(); ++i)
      for (const Usage &usage : taken(i).usages)
        if (usage.space == space && usage.lower <= time && time < usage.upper)
          live += usage.bytes;
    return live;
  }

  const Problem &problem;
  std::vector<int32_t> choices;
};

} // namespace ashlar::solver

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_TESTING_BRUTEFORCE_H
