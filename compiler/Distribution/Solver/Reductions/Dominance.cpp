// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Reductions/Dominance.h"

#include <algorithm>

namespace ashlar::solver::detail {

std::vector<int32_t> Dominance::undominated(int32_t v) {
  const Variable &variable = graph.variables[size_t(v)];
  const int32_t size = variable.size();
  if (size == 1)
    return {0};
  std::vector<MatrixId> key;
  for (int32_t link : variable.links)
    key.push_back(graph.costsSeenFrom(link, v));
  std::stable_sort(key.begin(), key.end(), [&](MatrixId a, MatrixId b) {
    return graph.pool[a].columns < graph.pool[b].columns;
  });
  std::vector<const Matrix *> matrices;
  for (MatrixId id : key)
    matrices.push_back(&graph.pool[id]);
  key.push_back(graph.pool.intern({1, size, variable.costs}));
  Comparison &known = comparisons[std::move(key)];
  const bool free = variable.usages.empty();
  if (free && !known.kept.empty())
    return known.kept;
  known.cheaper.resize(size_t(size) * size_t(size), -1);
  std::vector<char> gone(size_t(size), 0);
  std::vector<int32_t> kept;
  for (int32_t j = 0; j < size; ++j) {
    for (int32_t i = 0; i < size && !gone[size_t(j)]; ++i) {
      if (i == j || gone[size_t(i)])
        continue;
      int8_t &cheaper = known.cheaper[size_t(size) * size_t(i) + size_t(j)];
      if (cheaper < 0)
        cheaper = costsNoMore(variable, matrices, i, j);
      gone[size_t(j)] =
          cheaper && (free || within(variable.usages[size_t(i)], variable.usages[size_t(j)]));
    }
    if (!gone[size_t(j)])
      kept.push_back(j);
  }
  if (free)
    known.kept = kept;
  return kept;
}

/// Every row of a split matrix has an entry 0, so that no matrix can win back what another costs.
bool Dominance::costsNoMore(const Variable &variable, const std::vector<const Matrix *> &matrices,
                            int32_t i, int32_t j) {
  Cost slack = variable.costs[size_t(j)] - variable.costs[size_t(i)];
  if (slack < 0)
    return false;
  for (const Matrix *matrix : matrices) {
    const Cost *a = matrix->row(i), *b = matrix->row(j);
    Cost most = 0;
    for (int32_t x = 0; x < matrix->columns; ++x) {
      ++work;
      if (a[x] - b[x] > most && isAllowed(b[x])) {
        most = a[x] - b[x];
        if (most > slack)
          return false;
      }
    }
    slack -= most;
  }
  return true;
}

} // namespace ashlar::solver::detail
