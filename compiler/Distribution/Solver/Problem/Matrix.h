// Cost matrices, each distinct one stored once, so that what was computed for one layer of a
// program is there for its copies.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_MATRIX_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_MATRIX_H

#include <deque>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "compiler/Distribution/Solver/Solver.h"

namespace ashlar::solver::detail {

/// What a forbidden choice costs inside the solver. Above every sum of allowed costs of a problem
/// that validateProblem accepts, so far below the type's limit that a thousand of them add up.
constexpr Cost kInfinity = Cost(1) << 116;

inline bool isAllowed(Cost cost) { return cost < kInfinity / 2; }

/// Adds costs of which either may be forbidden.
inline Cost add(Cost a, Cost b) { return isAllowed(a) && isAllowed(b) ? a + b : kInfinity; }

/// Costs of two neighbours' strategies, row-major.
struct Matrix {
  int32_t rows = 0, columns = 0;
  std::vector<Cost> costs;

  const Cost *row(int32_t i) const { return costs.data() + size_t(i) * size_t(columns); }
  Cost *row(int32_t i) { return costs.data() + size_t(i) * size_t(columns); }
};

using MatrixId = int32_t;

/// Matrices by identity: equal ones have the same id, and what is computed from them is computed
/// once.
class MatrixPool {
public:
  MatrixId intern(Matrix matrix);
  MatrixId transpose(MatrixId id);
  const Matrix &operator[](MatrixId id) const { return entries[size_t(id)].matrix; }
  size_t size() const { return entries.size(); }

  /// Returns the row minima and column minima that `reduced` lacks: a matrix without a positive
  /// common part. A row or column without an allowed cost has the minimum kInfinity.
  struct Split {
    MatrixId reduced;
    std::vector<Cost> rowMinima, columnMinima;
    bool zero;    // the reduced matrix is 0 everywhere
    bool changed; // some minimum is not 0
  };
  const Split &split(MatrixId id);

  /// Returns the sum of two matrices of one shape.
  MatrixId sum(MatrixId a, MatrixId b);
  /// Returns the matrix of the listed rows.
  MatrixId select(MatrixId id, const std::vector<int32_t> &rows);

  /// Of a variable between two others: the least costs of each pair of their strategies, and the
  /// strategy that attains them, row-major.
  struct Product {
    MatrixId costs;
    std::shared_ptr<const std::vector<int32_t>> choices;
  };
  /// `a` and `b` have the neighbours' strategies as rows and the variable's, which cost `middle`,
  /// as columns.
  const Product &product(MatrixId a, MatrixId b, const std::vector<Cost> &middle);

  /// Elementary steps made so far.
  int64_t work = 0;

private:
  struct Entry {
    Matrix matrix;
    uint64_t hash = 0;
    MatrixId transposed = -1;
    int32_t split = -1;
  };
  std::deque<Entry> entries;
  std::deque<Split> splits;
  std::unordered_multimap<uint64_t, MatrixId> byHash;
  std::map<std::pair<MatrixId, MatrixId>, MatrixId> sums;
  std::map<std::pair<MatrixId, std::vector<int32_t>>, MatrixId> selections;
  std::map<std::tuple<MatrixId, MatrixId, MatrixId>, Product> products;
};

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_MATRIX_H
