// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the products read: a left operand of `rows` x `depth`, either a matrix in memory or a
// function (row, k) of the generated kernel, and weights of `columns` x `depth`, whose rows are
// depth elements long. Groups of neighbours along the depth move at once where rows begin at
// multiples of 16 bytes
// (`Aligned`, which says that the depth is a multiple of eight elements, too).
#pragma once

#include "device.h"

namespace ashlar {

template <typename Element, bool IsAligned>
struct Matrix {
  using T = Element;
  static constexpr bool kAligned = IsAligned;
  const T *data;
  int64 stride; // elements from row to row

  ASHLAR_DEVICE float operator()(int32 row, int32 k) const {
    return to_float(data[row * stride + k]);
  }
};

/// The tile that a block of a grid (tiles of rows, tiles of columns) computes. Blocks that run at
/// the same time take tiles of a few rows and a few columns, so that what they read stays in the
/// cache: groups of 16 tiles of rows, and in a group column by column.
struct TileOfBlock {
  int32 row, column;
};
ASHLAR_DEVICE TileOfBlock tile_of_block() {
  constexpr int64 kGroup = 16;
  const int64 at = int64(block_y()) * grid_x() + block_x(), of_group = kGroup * grid_y();
  const int64 first = at / of_group * kGroup, rows = minimum(grid_x() - first, kGroup);
  return {static_cast<int32>(first + at % of_group % rows),
          static_cast<int32>(at % of_group / rows)};
}

/// x = elements [k, k + N) of a row, zeros from `depth` on.
template <int N, typename Left>
ASHLAR_DEVICE void load_row(float (&x)[N], const Left &left, int32 row, int32 k, int32 depth) {
#pragma unroll
  for (int i = 0; i < N; ++i)
    x[i] = k + i < depth ? left(row, k + i) : 0.0f;
}
template <int N, typename T>
ASHLAR_DEVICE void load_row(float (&x)[N], const Matrix<T, true> &matrix, int32 row, int32 k,
                            int32 depth) {
  constexpr int kPiece = N < kVectorWidth<T> ? N : kVectorWidth<T>;
  static_assert(N <= 8, "aligned rows are multiples of eight elements");
#pragma unroll
  for (int piece = 0; piece < N; piece += kPiece) {
    Vec<T, kPiece> loaded;
    if (k < depth)
      loaded = load_vector<T, kPiece>(matrix.data + row * matrix.stride + k + piece);
#pragma unroll
    for (int i = 0; i < kPiece; ++i)
      x[piece + i] = k < depth ? to_float(loaded.element[i]) : 0.0f;
  }
}

} // namespace ashlar
