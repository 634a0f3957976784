// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of one left operand with one or more weights on the tensor cores (mma.sync, float
// accumulators): of 16 bits, or of f32, where both operands are rounded to tf32, a sign, eight bits
// of exponent and ten behind the point, as their fragments are read. Tiles lie in a ring of
// `Stages` in shared memory, which cp.async fills ahead. A left operand that is a matrix of the
// weights' type takes the same way; any other passes through registers, where it is rounded to the
// weights' type. Operations: 2 m n k a product.
#pragma once

#include "epilogue.cuh"
#include "fragments.h"
#include "tile_loader.cuh"

namespace ashlar {

template <typename Element, int TileM, int TileN, int TileK, int WarpRows, int WarpColumns,
          int ProductCount, int StageCount, int LaneCount>
struct MmaProductShape {
  using T = Element;
  static constexpr int kM = TileM, kN = TileN, kK = TileK, kProducts = ProductCount;
  static constexpr int kStages = StageCount;
  static constexpr int kLanes = LaneCount; // neighbours that the epilogue takes at once: 1 or 4
  static constexpr int kWarpsN = WarpColumns, kThreads = WarpRows * WarpColumns * 32;
  static constexpr int kWarpM = kM / WarpRows, kWarpN = kN / WarpColumns;
  static_assert(kWarpM % 16 == 0 && kWarpN % 16 == 0, "a warp's tile is made of 16 x 16 blocks");
  static constexpr int kStep = 32 / sizeof(T); // of one mma along the depth
  static_assert(kK % kStep == 0, "whole products");
  static_assert(kStages >= 2, "one stage is read while others are filled");
  struct Stages {
    Tile<T, kM, kK> a[kStages];
    Tile<T, kN, kK> b[kStages][kProducts];
  };
  // The results take the place of the tiles.
  struct Results {
    EpilogueSpace<kProducts, kWarpN> warps[kThreads / 32];
  };
  union Shared {
    Stages stages;
    Results results;
  };
};

/// Reads fragments from where `element` begins. To ldmatrix a piece of 16 bytes is eight elements
/// of 16 bits; it gives every thread the f32 of the same place as well.
template <typename T>
ASHLAR_DEVICE void load_fragments(uint32 (&fragments)[4], const T *element) {
  ldmatrix_x4(fragments, element);
  if constexpr (sizeof(T) == 4) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      fragments[i] = to_tf32(float_of(fragments[i]));
  }
}
template <typename T>
ASHLAR_DEVICE void multiply_fragments(float (&d)[4], const uint32 (&a)[4], const uint32 (&b)[2]) {
  if constexpr (sizeof(T) == 4)
    mma_m16n8k8_tf32(d, a, b);
  else
    mma_m16n8k16(d, a, b, T());
}

/// d += a b for the warp's part of a step's tiles.
template <typename Shape, int BlocksM, int BlocksN>
ASHLAR_DEVICE void multiply_tiles(float (&d)[Shape::kProducts][BlocksM][BlocksN][4],
                                  typename Shape::Stages &stages, int slot, int warp_row,
                                  int warp_column) {
  using T = typename Shape::T;
#pragma unroll
  for (int k = 0; k < Shape::kK; k += Shape::kStep) {
    constexpr int kHalf = sizeof(T) / 2; // columns of fragments are counted in 16 bits
    uint32 a[BlocksM][4];
#pragma unroll
    for (int i = 0; i < BlocksM; ++i)
      load_fragments(a[i], stages.a[slot].at(warp_row + 16 * i + LdmatrixA::row(lane()),
                                             k + LdmatrixA::col(lane()) / kHalf));
#pragma unroll
    for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
      for (int j = 0; j < BlocksN; j += 2) {
        uint32 pair[4];
        load_fragments(pair, stages.b[slot][p].at(warp_column + 8 * j + LdmatrixB::n(lane()),
                                                  k + LdmatrixB::k(lane()) / kHalf));
        uint32 first[2] = {pair[0], pair[1]}, second[2] = {pair[2], pair[3]};
#pragma unroll
        for (int i = 0; i < BlocksM; ++i) {
          multiply_fragments<T>(d[p][i][j], a[i], first);
          multiply_fragments<T>(d[p][i][j + 1], a[i], second);
        }
      }
  }
}

/// The grid is (tiles of rows, tiles of columns). `epilogue(row, column, product)` gets kLanes
/// neighbours of each product.
template <typename Shape, typename Left, bool Aligned, typename Epilogue>
ASHLAR_DEVICE void
product_mma(const Left &left, const Matrix<typename Shape::T, Aligned> (&weights)[Shape::kProducts],
            int32 rows, int32 columns, int32 depth, Epilogue epilogue) {
  constexpr int kBlocksM = Shape::kWarpM / 16, kBlocksN = Shape::kWarpN / 8;
  constexpr int kAhead = Shape::kStages - 1;
  auto &space = shared<typename Shape::Shared>();
  auto &stages = space.stages;
  const TileOfBlock tile = tile_of_block();
  const int32 row0 = tile.row * Shape::kM, column0 = tile.column * Shape::kN;
  const int warp_row = warp() / Shape::kWarpsN * Shape::kWarpM;
  const int warp_column = warp() % Shape::kWarpsN * Shape::kWarpN;
  const int steps = (depth + Shape::kK - 1) / Shape::kK;
  TileLoader<Shape::kThreads, typename Shape::T, Shape::kM, Shape::kK, Left> loader{left};
  auto begin = [&](int step) {
    if (step < steps) {
      int slot = step % Shape::kStages, k0 = step * Shape::kK;
#pragma unroll
      for (int p = 0; p < Shape::kProducts; ++p)
        load_tile<Shape::kThreads>(stages.b[slot][p], weights[p].data, weights[p].stride, column0,
                                   columns, k0, depth);
      loader.begin(stages.a[slot], row0, rows, k0, depth);
    }
    copy_async_commit(); // also where there is nothing, so that the groups' number tells the step
  };
  auto end = [&](int step) {
    if (step < steps)
      loader.end(stages.a[step % Shape::kStages]);
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
#pragma unroll
  for (int step = 0; step < kAhead; ++step) {
    begin(step);
    end(step);
  }
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<kAhead - 1>();
    block_sync(); // the step's tiles are there, and those of the step before are read
    begin(step + kAhead);
    multiply_tiles<Shape>(d, stages, step % Shape::kStages, warp_row, warp_column);
    end(step + kAhead);
  }
  copy_async_wait<0>();
  block_sync(); // all have read the last tiles
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i)
    warp_epilogue<Shape::kLanes>(
        space.results.warps[warp()], row0 + warp_row + 16 * i, rows, column0 + warp_column, columns,
        [&](auto &to) {
#pragma unroll
          for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
            for (int j = 0; j < kBlocksN; ++j)
#pragma unroll
              for (int r = 0; r < 4; r += 2)
                store_vector<float, 2>(
                    &to.element[p][MmaD::row(lane(), r)][8 * j + MmaD::col(lane(), r)],
                    {d[p][i][j][r], d[p][i][j][r + 1]});
        },
        epilogue);
}

} // namespace ashlar
