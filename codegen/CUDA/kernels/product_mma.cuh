// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of one left operand with one or more 16-bit weights on the tensor cores (mma.sync, float
// accumulators). The left operand is rounded to the weights' type on its way into shared memory,
// which cp.async fills with the weights one step ahead. Operations: 2 m n k a product.
#pragma once

#include "fragments.h"
#include "matrix.cuh"
#include "tiles.cuh"

namespace ashlar {

template <typename Element, int TileM, int TileN, int WarpRows, int WarpColumns, int ProductCount,
          int LaneCount>
struct MmaProductShape {
  using T = Element;
  static constexpr int kM = TileM, kN = TileN, kK = 32, kProducts = ProductCount;
  static constexpr int kLanes = LaneCount; // neighbours that the epilogue takes at once: 1 or 2
  static constexpr int kWarpsN = WarpColumns, kThreads = WarpRows * WarpColumns * 32;
  static constexpr int kWarpM = kM / WarpRows, kWarpN = kN / WarpColumns;
  static_assert(kWarpM % 16 == 0 && kWarpN % 16 == 0, "a warp's tile is made of 16 x 16 blocks");
  struct Shared {
    Tile<T, kM, kK> a[2];
    Tile<T, kN, kK> b[2][kProducts];
  };
};

/// A thread's share of a tile of the left operand, eight neighbours along the depth at a time.
template <typename Shape>
struct LeftPieces {
  static constexpr int kPerRow = Shape::kK / 8, kCount = Shape::kM * kPerRow;
  static constexpr int kMine = (kCount + Shape::kThreads - 1) / Shape::kThreads;
  Vec<typename Shape::T, 8> x[kMine];

  template <typename Left>
  ASHLAR_DEVICE void fetch(const Left &left, int32 row0, int32 rows, int32 k0, int32 depth) {
#pragma unroll
    for (int i = 0; i < kMine; ++i) {
      int piece = i * Shape::kThreads + static_cast<int>(thread_index());
      int row = row0 + piece / kPerRow;
      bool inside = piece < kCount && row < rows;
      float loaded[8];
      if (inside)
        load_row(loaded, left, row, k0 + piece % kPerRow * 8, depth);
#pragma unroll
      for (int j = 0; j < 8; ++j)
        x[i].element[j] = round_to<typename Shape::T>(inside ? loaded[j] : 0.0f);
    }
  }
  template <typename TileType>
  ASHLAR_DEVICE void put(TileType &tile) const {
#pragma unroll
    for (int i = 0; i < kMine; ++i) {
      int piece = i * Shape::kThreads + static_cast<int>(thread_index());
      if (piece < kCount)
        store_vector<typename Shape::T, 8>(tile.at(piece / kPerRow, piece % kPerRow * 8), x[i]);
    }
  }
};

/// The grid is (tiles of rows, tiles of columns). `epilogue(row, column, product)` gets kLanes
/// neighbours of each product.
template <typename Shape, typename Left, bool Aligned, typename Epilogue>
ASHLAR_DEVICE void
product_mma(const Left &left, const Matrix<typename Shape::T, Aligned> (&weights)[Shape::kProducts],
            int32 rows, int32 columns, int32 depth, Epilogue epilogue) {
  using T = typename Shape::T;
  constexpr int kBlocksM = Shape::kWarpM / 16, kBlocksN = Shape::kWarpN / 8;
  auto &space = shared<typename Shape::Shared>();
  const int row0 = block_x() * Shape::kM, column0 = block_y() * Shape::kN;
  const int warp_row = warp() / Shape::kWarpsN * Shape::kWarpM;
  const int warp_column = warp() % Shape::kWarpsN * Shape::kWarpN;
  LeftPieces<Shape> pieces;
  auto load_weights = [&](int step) {
#pragma unroll
    for (int p = 0; p < Shape::kProducts; ++p)
      load_tile<Shape::kThreads>(space.b[step % 2][p], weights[p].data, weights[p].stride, column0,
                                 columns, step * Shape::kK, depth);
    copy_async_commit();
  };

  float d[Shape::kProducts][kBlocksM][kBlocksN][4];
#pragma unroll
  for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i)
#pragma unroll
      for (int j = 0; j < kBlocksN; ++j)
#pragma unroll
        for (int r = 0; r < 4; ++r)
          d[p][i][j][r] = 0.0f;
  const int steps = (depth + Shape::kK - 1) / Shape::kK;
  load_weights(0);
  pieces.fetch(left, row0, rows, 0, depth);
  pieces.put(space.a[0]);
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<0>();
    block_sync(); // the step's tiles are there, and those of the step before are read
    if (step + 1 < steps) {
      load_weights(step + 1);
      pieces.fetch(left, row0, rows, (step + 1) * Shape::kK, depth);
    }
#pragma unroll
    for (int k = 0; k < Shape::kK; k += 16) {
      uint32 a[kBlocksM][4];
#pragma unroll
      for (int i = 0; i < kBlocksM; ++i)
        ldmatrix_x4(a[i], space.a[step % 2].at(warp_row + 16 * i + LdmatrixA::row(lane()),
                                               k + LdmatrixA::col(lane())));
#pragma unroll
      for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
        for (int j = 0; j < kBlocksN; j += 2) {
          uint32 pair[4];
          ldmatrix_x4(pair, space.b[step % 2][p].at(warp_column + 8 * j + LdmatrixB::n(lane()),
                                                    k + LdmatrixB::k(lane())));
          uint32 first[2] = {pair[0], pair[1]}, second[2] = {pair[2], pair[3]};
#pragma unroll
          for (int i = 0; i < kBlocksM; ++i) {
            mma_m16n8k16(d[p][i][j], a[i], first, T());
            mma_m16n8k16(d[p][i][j + 1], a[i], second, T());
          }
        }
    }
    if (step + 1 < steps)
      pieces.put(space.a[(step + 1) % 2]);
  }
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i)
#pragma unroll
    for (int j = 0; j < kBlocksN; ++j)
#pragma unroll
      for (int r = 0; r < 4; r += Shape::kLanes) {
        float product[Shape::kProducts][Shape::kLanes];
#pragma unroll
        for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
          for (int l = 0; l < Shape::kLanes; ++l)
            product[p][l] = d[p][i][j][r + l];
        int row = row0 + warp_row + 16 * i + MmaD::row(lane(), r);
        int column = column0 + warp_column + 8 * j + MmaD::col(lane(), r);
        if (row < rows && column < columns)
          epilogue(row, column, product);
      }
}

} // namespace ashlar
