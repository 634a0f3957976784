// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of row-major matrices of 16 bits or f32 in shared memory, loaded by cp.async in pieces of
// 16 bytes. A tile's rows are padded by one piece, which puts the eight rows that an ldmatrix reads
// at once in different banks.
#pragma once

#include "device.h"

namespace ashlar {

template <typename T, int Rows, int Columns>
struct Tile {
  static constexpr int kPiece = 16 / sizeof(T), kStride = Columns + kPiece;
  static_assert(sizeof(T) <= 4 && Columns % kPiece == 0, "rows of whole pieces");
  alignas(16) T element[Rows * kStride];

  ASHLAR_DEVICE T *at(int row, int column) { return element + row * kStride + column; }
};

/// Begins to copy rows [row, row + Rows) and columns [column, column + Columns) of a rows x columns
/// matrix whose rows are `stride` elements apart; what lies outside of it becomes zero. Rows that
/// do not begin at multiples of 16 bytes are loaded at once, by elements. Complete after
/// copy_async_wait of every thread and a block_sync.
template <int Threads, typename T, int Rows, int Columns>
ASHLAR_DEVICE void load_tile(Tile<T, Rows, Columns> &tile, const T *matrix, int64 stride, int row,
                             int rows, int column, int columns) {
  constexpr int kPiece = Tile<T, Rows, Columns>::kPiece, kPerRow = Columns / kPiece;
  constexpr int kPieces = Rows * kPerRow;
  bool aligned = stride % kPiece == 0;
#pragma unroll
  for (int base = 0; base < kPieces; base += Threads) {
    int piece = base + static_cast<int>(thread_index());
    if (kPieces % Threads != 0 && piece >= kPieces)
      break;
    int r = piece / kPerRow, c = piece % kPerRow * kPiece;
    int left = row + r < rows ? columns - column - c : 0;
    int valid = left < 0 ? 0 : left > kPiece ? kPiece : left;
    const T *from = matrix + (valid ? (row + r) * stride + column + c : 0);
    if (aligned) {
      copy_async_partial(tile.at(r, c), from, valid * sizeof(T));
    } else {
      Vec<T, kPiece> elements;
#pragma unroll
      for (int i = 0; i < kPiece; ++i)
        elements.element[i] = i < valid ? from[i] : T{0};
      store_vector<T, kPiece>(tile.at(r, c), elements);
    }
  }
}

} // namespace ashlar
