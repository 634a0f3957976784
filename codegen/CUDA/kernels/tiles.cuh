// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of 16-bit row-major matrices in shared memory, loaded by cp.async, stored 16 bytes at a
// time. A tile's rows are padded by 16 bytes, which puts the eight rows that an ldmatrix reads at
// once in different banks.
#pragma once

#include "device.h"

namespace ashlar {

template <typename T, int Rows, int Columns>
struct Tile {
  static constexpr int kStride = Columns + 16 / sizeof(T);
  static_assert(sizeof(T) == 2 && Columns % 8 == 0, "rows of whole 16-byte pieces");
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
  constexpr int kPieces = Rows * Columns / 8;
  bool aligned = stride % 8 == 0;
#pragma unroll
  for (int base = 0; base < kPieces; base += Threads) {
    int piece = base + static_cast<int>(thread_index());
    if (kPieces % Threads != 0 && piece >= kPieces)
      break;
    int r = piece / (Columns / 8), c = piece % (Columns / 8) * 8;
    int left = row + r < rows ? columns - column - c : 0;
    int valid = left < 0 ? 0 : left > 8 ? 8 : left;
    const T *from = matrix + (valid ? (row + r) * stride + column + c : 0);
    if (aligned) {
      copy_async_partial(tile.at(r, c), from, valid * sizeof(T));
    } else {
      Vec<T, 8> elements;
#pragma unroll
      for (int i = 0; i < 8; ++i)
        elements.element[i] = i < valid ? from[i] : T{0};
      store_vector<T, 8>(tile.at(r, c), elements);
    }
  }
}

/// Stores rows [0, Rows) of the tile to rows [row, row + Rows) and columns from `column` on of a
/// rows x columns matrix whose rows are `stride` elements apart, 16 bytes at a time where its rows
/// allow; `thread` of `Threads` takes part. The tile was written before a barrier of them.
template <int Threads, int Rows, typename T, int TileRows, int Columns>
ASHLAR_DEVICE void store_tile(Tile<T, TileRows, Columns> &tile, int first, T *matrix, int64 stride,
                              int row, int rows, int column, int columns, int thread) {
  constexpr int kPieces = Rows * Columns / 8;
#pragma unroll 4
  for (int piece = thread; piece < kPieces; piece += Threads) {
    int r = piece / (Columns / 8), c = piece % (Columns / 8) * 8;
    if (row + r >= rows || column + c >= columns)
      continue;
    T *to = matrix + (row + r) * stride + column + c;
    Vec<T, 8> elements = load_vector<T, 8>(tile.at(first + r, c));
    if (stride % 8 == 0 && column + c + 8 <= columns) {
      store_vector<T, 8>(to, elements);
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i)
        if (column + c + i < columns)
          to[i] = elements.element[i];
    }
  }
}

} // namespace ashlar
