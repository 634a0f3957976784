// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How an operand, a matrix in memory or a function (row, k) of the generated kernel, comes into a
// tile in shared memory: begin() while the tile before is being multiplied, end() when that is
// done. A matrix of the tile's type is copied by cp.async, which the caller commits and waits for;
// any other operand passes through registers, where it is rounded. What lies outside becomes zero.
#pragma once

#include "matrix.cuh"
#include "tiles.cuh"

namespace ashlar {

template <int Threads, typename T, int Rows, int Columns, typename Operand>
struct TileLoader {
  static constexpr int kPiece = Tile<T, Rows, Columns>::kPiece;
  static constexpr int kPerRow = Columns / kPiece, kCount = Rows * kPerRow;
  static constexpr int kMine = (kCount + Threads - 1) / Threads;
  const Operand &operand;
  Vec<T, kPiece> x[kMine]; // a thread's pieces

  ASHLAR_DEVICE void begin(Tile<T, Rows, Columns> &, int32 row0, int32 rows, int32 k0,
                           int32 depth) {
#pragma unroll
    for (int i = 0; i < kMine; ++i) {
      int piece = i * Threads + static_cast<int>(thread_index());
      int row = row0 + piece / kPerRow;
      bool inside = piece < kCount && row < rows;
      float loaded[kPiece];
      if (inside)
        load_row(loaded, operand, row, k0 + piece % kPerRow * kPiece, depth);
#pragma unroll
      for (int j = 0; j < kPiece; ++j)
        x[i].element[j] = round_to<T>(inside ? loaded[j] : 0.0f);
    }
  }
  ASHLAR_DEVICE void end(Tile<T, Rows, Columns> &tile) const {
#pragma unroll
    for (int i = 0; i < kMine; ++i) {
      int piece = i * Threads + static_cast<int>(thread_index());
      if (piece < kCount)
        store_vector<T, kPiece>(tile.at(piece / kPerRow, piece % kPerRow * kPiece), x[i]);
    }
  }
};
template <int Threads, typename T, int Rows, int Columns>
struct TileLoader<Threads, T, Rows, Columns, Matrix<T, true>> {
  const Matrix<T, true> &operand;

  ASHLAR_DEVICE void begin(Tile<T, Rows, Columns> &tile, int32 row0, int32 rows, int32 k0,
                           int32 depth) {
    load_tile<Threads>(tile, operand.data, operand.stride, row0, rows, k0, depth);
  }
  ASHLAR_DEVICE void end(Tile<T, Rows, Columns> &) const {}
};

} // namespace ashlar
