// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of one left operand with one or more weights in f32 arithmetic, on the ordinary cores: a
// block computes a TileM x TileN tile of each, a thread 4 x 4 of it, from tiles in shared memory
// that lie along the depth, so that a thread reads four neighbours at once. The next tiles are
// fetched into registers while the present ones are multiplied. A result is one chain of
// multiply-adds in the order of the depth, whatever the other rows are. Operations: 2 m n k a
// product.
#pragma once

#include "matrix.cuh"

namespace ashlar {

template <int TileM, int TileN, int TileK, int ProductCount, int LaneCount>
struct FmaProductShape {
  static constexpr int kM = TileM, kN = TileN, kK = TileK, kProducts = ProductCount;
  static constexpr int kLanes = LaneCount; // neighbours that the epilogue takes at once: 1 or 4
  static constexpr int kThreads = kM * kN / 16;
  static_assert(kThreads % 32 == 0 && kK % 4 == 0, "whole warps");
  // Rows are padded by what a thread reads at once.
  struct Shared {
    float a[kK][kM + 4];
    float b[kProducts][kK][kN + 4];
  };
};

/// Pieces of four along the depth, of a tile of `Rows` rows, that a thread moves.
template <int Rows, int Depth, int Threads>
struct TilePieces {
  static constexpr int kPerRow = Depth / 4, kCount = Rows * kPerRow;
  static constexpr int kMine = (kCount + Threads - 1) / Threads;
  float x[kMine][4];

  template <typename Operand>
  ASHLAR_DEVICE void fetch(const Operand &operand, int32 row0, int32 rows, int32 k0, int32 depth) {
#pragma unroll
    for (int i = 0; i < kMine; ++i) {
      int piece = i * Threads + static_cast<int>(thread_index());
      int row = row0 + piece / kPerRow;
      if (piece < kCount && row < rows) {
        load_row(x[i], operand, row, k0 + piece % kPerRow * 4, depth);
      } else {
#pragma unroll
        for (int j = 0; j < 4; ++j)
          x[i][j] = 0.0f;
      }
    }
  }
  template <int Stride>
  ASHLAR_DEVICE void put(float (&tile)[Depth][Stride]) const {
#pragma unroll
    for (int i = 0; i < kMine; ++i) {
      int piece = i * Threads + static_cast<int>(thread_index());
      if (piece < kCount) {
#pragma unroll
        for (int j = 0; j < 4; ++j)
          tile[piece % kPerRow * 4 + j][piece / kPerRow] = x[i][j];
      }
    }
  }
};

/// The grid is (tiles of rows, tiles of columns). `epilogue(row, column, product)` gets kLanes
/// neighbours of each product.
template <typename Shape, typename Left, typename Weights, typename Epilogue>
ASHLAR_DEVICE void product_fma(const Left &left, const Weights (&weights)[Shape::kProducts],
                               int32 rows, int32 columns, int32 depth, Epilogue epilogue) {
  auto &space = shared<typename Shape::Shared>();
  const TileOfBlock tile = tile_of_block();
  const int row0 = tile.row * Shape::kM, column0 = tile.column * Shape::kN;
  const int my_column = thread_index() % (Shape::kN / 4) * 4;
  const int my_row = thread_index() / (Shape::kN / 4) * 4;
  TilePieces<Shape::kM, Shape::kK, Shape::kThreads> a;
  TilePieces<Shape::kN, Shape::kK, Shape::kThreads> b[Shape::kProducts];
  auto fetch = [&](int k0) {
    a.fetch(left, row0, rows, k0, depth);
#pragma unroll
    for (int p = 0; p < Shape::kProducts; ++p)
      b[p].fetch(weights[p], column0, columns, k0, depth);
  };

  float d[Shape::kProducts][4][4];
#pragma unroll
  for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
    for (int i = 0; i < 16; ++i)
      d[p][i / 4][i % 4] = 0.0f;
  fetch(0);
  for (int k0 = 0; k0 < depth; k0 += Shape::kK) {
    block_sync(); // the tiles before have been read
    a.put(space.a);
#pragma unroll
    for (int p = 0; p < Shape::kProducts; ++p)
      b[p].put(space.b[p]);
    block_sync();
    if (k0 + Shape::kK < depth)
      fetch(k0 + Shape::kK);
#pragma unroll 4
    for (int k = 0; k < Shape::kK; ++k) {
      Vec<float, 4> x = load_vector<float, 4>(&space.a[k][my_row]);
#pragma unroll
      for (int p = 0; p < Shape::kProducts; ++p) {
        Vec<float, 4> w = load_vector<float, 4>(&space.b[p][k][my_column]);
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
          for (int j = 0; j < 4; ++j)
            d[p][i][j] = fma(x.element[i], w.element[j], d[p][i][j]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; j += Shape::kLanes) {
      float product[Shape::kProducts][Shape::kLanes];
#pragma unroll
      for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
        for (int l = 0; l < Shape::kLanes; ++l)
          product[p][l] = d[p][i][j + l];
      int row = row0 + my_row + i, column = column0 + my_column + j;
      if (row < rows && column < columns)
        epilogue(row, column, product);
    }
}

} // namespace ashlar
