// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Problem/Matrix.h"

#include <algorithm>

namespace ashlar::solver::detail {
namespace {

uint64_t hashOf(const Matrix &matrix) {
  uint64_t hash = uint64_t(matrix.rows) * 0x9e3779b97f4a7c15ull + uint64_t(matrix.columns);
  for (Cost cost : matrix.costs) {
    hash ^= uint64_t(cost) ^ uint64_t(cost >> 64) * 0xd6e8feb86659fd93ull;
    hash *= 0xff51afd7ed558ccdull;
    hash ^= hash >> 32;
  }
  return hash;
}

} // namespace

MatrixId MatrixPool::intern(Matrix matrix) {
  const uint64_t hash = hashOf(matrix);
  auto [begin, end] = byHash.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const Matrix &known = entries[size_t(it->second)].matrix;
    if (known.rows == matrix.rows && known.columns == matrix.columns && known.costs == matrix.costs)
      return it->second;
  }
  const MatrixId id = MatrixId(entries.size());
  work += int64_t(matrix.costs.size());
  entries.push_back({std::move(matrix), hash});
  byHash.emplace(hash, id);
  return id;
}

MatrixId MatrixPool::transpose(MatrixId id) {
  if (entries[size_t(id)].transposed >= 0)
    return entries[size_t(id)].transposed;
  const Matrix &matrix = entries[size_t(id)].matrix;
  Matrix turned{matrix.columns, matrix.rows, std::vector<Cost>(matrix.costs.size())};
  for (int32_t i = 0; i < matrix.rows; ++i)
    for (int32_t j = 0; j < matrix.columns; ++j)
      turned.row(j)[i] = matrix.row(i)[j];
  const MatrixId result = intern(std::move(turned));
  entries[size_t(id)].transposed = result;
  entries[size_t(result)].transposed = id;
  return result;
}

const MatrixPool::Split &MatrixPool::split(MatrixId id) {
  if (entries[size_t(id)].split >= 0)
    return splits[size_t(entries[size_t(id)].split)];
  Matrix reduced = entries[size_t(id)].matrix;
  Split result{id, std::vector<Cost>(size_t(reduced.rows), kInfinity),
               std::vector<Cost>(size_t(reduced.columns), kInfinity), true, false};
  for (int32_t i = 0; i < reduced.rows; ++i) {
    Cost *row = reduced.row(i), &least = result.rowMinima[size_t(i)];
    for (int32_t j = 0; j < reduced.columns; ++j)
      least = std::min(least, row[j]);
    for (int32_t j = 0; j < reduced.columns; ++j) {
      if (isAllowed(row[j]))
        row[j] -= least;
      result.columnMinima[size_t(j)] = std::min(result.columnMinima[size_t(j)], row[j]);
    }
    result.changed |= least != 0;
  }
  for (int32_t i = 0; i < reduced.rows; ++i)
    for (int32_t j = 0; j < reduced.columns; ++j) {
      if (isAllowed(reduced.row(i)[j]))
        reduced.row(i)[j] -= result.columnMinima[size_t(j)];
      result.zero &= reduced.row(i)[j] == 0;
    }
  for (Cost least : result.columnMinima)
    result.changed |= least != 0;
  if (result.changed)
    result.reduced = intern(std::move(reduced));
  entries[size_t(id)].split = int32_t(splits.size());
  splits.push_back(std::move(result));
  return splits.back();
}

MatrixId MatrixPool::sum(MatrixId a, MatrixId b) {
  auto [known, isNew] = sums.try_emplace({std::min(a, b), std::max(a, b)}, 0);
  if (isNew) {
    Matrix result = (*this)[a];
    for (size_t k = 0; k < result.costs.size(); ++k)
      result.costs[k] = add(result.costs[k], (*this)[b].costs[k]);
    known->second = intern(std::move(result));
  }
  return known->second;
}

MatrixId MatrixPool::select(MatrixId id, const std::vector<int32_t> &rows) {
  auto [known, isNew] = selections.try_emplace({id, rows}, 0);
  if (isNew) {
    const Matrix &matrix = (*this)[id];
    Matrix result{int32_t(rows.size()), matrix.columns, {}};
    for (int32_t i : rows)
      result.costs.insert(result.costs.end(), matrix.row(i), matrix.row(i) + matrix.columns);
    known->second = intern(std::move(result));
  }
  return known->second;
}

const MatrixPool::Product &MatrixPool::product(MatrixId a, MatrixId b,
                                               const std::vector<Cost> &middle) {
  auto [known, isNew] = products.try_emplace({a, b, intern({1, int32_t(middle.size()), middle})});
  if (!isNew)
    return known->second;
  const Matrix &first = (*this)[a], &second = (*this)[b];
  Matrix result{first.rows, second.rows, {}};
  std::vector<int32_t> choices;
  result.costs.reserve(size_t(first.rows) * size_t(second.rows));
  std::vector<Cost> path(middle.size());
  for (int32_t i = 0; i < first.rows; ++i) {
    for (size_t j = 0; j < path.size(); ++j)
      path[j] = first.row(i)[j] + middle[j];
    for (int32_t k = 0; k < second.rows; ++k) {
      int32_t best = 0;
      Cost least = kInfinity;
      for (int32_t j = 0; j < second.columns; ++j)
        if (const Cost cost = path[size_t(j)] + second.row(k)[j]; cost < least) {
          least = cost;
          best = j;
        }
      result.costs.push_back(isAllowed(least) ? least : kInfinity);
      choices.push_back(best);
    }
  }
  work += int64_t(result.costs.size()) * int64_t(middle.size());
  known->second = {intern(std::move(result)),
                   std::make_shared<std::vector<int32_t>>(std::move(choices))};
  return known->second;
}

} // namespace ashlar::solver::detail
