// SPDX-License-Identifier: Apache-2.0
#include "compiler/Distribution/Solver/Matrix.h"

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

} // namespace ashlar::solver::detail
