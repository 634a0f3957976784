// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y = epilogue(a b), 16-bit operands, float accumulators: mma.sync over tiles in shared memory that
// cp.async fills `Stages` deep. A block computes a TileM x TileN tile with WarpsM x WarpsN warps,
// each TileM / WarpsM x TileN / WarpsN of it. Any m, n and k; rows that are no multiple of eight
// elements take the slow way of load_tile. Operations: 2 m n k.
#pragma once

#include "fragments.h"
#include "tiles.cuh"

namespace ashlar {

template <typename T>
struct MatmulParameters {
  const T *a; // m x k
  const T *b; // k x n, or n x k where the kernel says so
  T *y;       // m x n
  int32 m, n, k;
};

template <typename Element, int M, int N, int K, int WarpRows, int WarpColumns, int StageCount,
          bool ColumnMajorB>
struct MatmulShape {
  using T = Element;
  static constexpr int kM = M, kN = N, kK = K, kWarpsM = WarpRows, kWarpsN = WarpColumns;
  static constexpr int kStages = StageCount;
  static constexpr bool kColumnMajorB = ColumnMajorB;
  static constexpr int kThreads = kWarpsM * kWarpsN * 32;
  static constexpr int kWarpM = kM / kWarpsM, kWarpN = kN / kWarpsN;
  static_assert(kWarpM % 16 == 0 && kWarpN % 16 == 0 && kK % 16 == 0 && kStages >= 2,
                "a warp's tile is made of 16 x 16 blocks");
  using TileA = Tile<T, kM, kK>;
  template <bool ByColumns, int Unused = 0>
  struct TileOfB {
    using Type = Tile<T, kK, kN>;
  };
  template <int Unused>
  struct TileOfB<true, Unused> {
    using Type = Tile<T, kN, kK>;
  };
  using TileB = typename TileOfB<kColumnMajorB>::Type;
  struct Shared {
    TileA a[kStages];
    TileB b[kStages];
  };
};

/// `epilogue(value, row, column)` returns what is rounded and stored.
template <typename Shape, typename Epilogue>
ASHLAR_DEVICE void matmul(const MatmulParameters<typename Shape::T> &p, Epilogue epilogue) {
  using T = typename Shape::T;
  constexpr int kBlocksM = Shape::kWarpM / 16, kBlocksN = Shape::kWarpN / 8;
  auto &space = shared<typename Shape::Shared>();
  const int row0 = block_y() * Shape::kM, column0 = block_x() * Shape::kN;
  const int warp_row = warp() / Shape::kWarpsN * Shape::kWarpM;
  const int warp_column = warp() % Shape::kWarpsN * Shape::kWarpN;
  const int steps = (p.k + Shape::kK - 1) / Shape::kK;

  auto load = [&](int step) {
    if (step < steps) {
      int slot = step % Shape::kStages, k0 = step * Shape::kK;
      load_tile<Shape::kThreads>(space.a[slot], p.a, p.k, row0, p.m, k0, p.k);
      if constexpr (Shape::kColumnMajorB)
        load_tile<Shape::kThreads>(space.b[slot], p.b, p.k, column0, p.n, k0, p.k);
      else
        load_tile<Shape::kThreads>(space.b[slot], p.b, p.n, k0, p.k, column0, p.n);
    }
    copy_async_commit(); // also where there is nothing, so that the groups' number tells the step
  };

  float d[kBlocksM][kBlocksN][4];
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i)
#pragma unroll
    for (int j = 0; j < kBlocksN; ++j)
#pragma unroll
      for (int r = 0; r < 4; ++r)
        d[i][j][r] = 0.0f;

#pragma unroll
  for (int step = 0; step < Shape::kStages - 1; ++step)
    load(step);
  for (int step = 0; step < steps; ++step) {
    copy_async_wait<Shape::kStages - 2>();
    block_sync(); // the step's tiles are there, and those of the step before are read
    load(step + Shape::kStages - 1);
    auto &a_tile = space.a[step % Shape::kStages];
    auto &b_tile = space.b[step % Shape::kStages];
#pragma unroll
    for (int k = 0; k < Shape::kK; k += 16) {
      uint32 a[kBlocksM][4], b[kBlocksN][2];
#pragma unroll
      for (int i = 0; i < kBlocksM; ++i)
        ldmatrix_x4(a[i], a_tile.at(warp_row + 16 * i + LdmatrixA::row(lane()),
                                    k + LdmatrixA::col(lane())));
#pragma unroll
      for (int j = 0; j < kBlocksN; j += 2) {
        uint32 pair[4];
        int n = warp_column + 8 * j;
        if constexpr (Shape::kColumnMajorB)
          ldmatrix_x4(pair, b_tile.at(n + LdmatrixB::n(lane()), k + LdmatrixB::k(lane())));
        else
          ldmatrix_x4_transposed(pair, b_tile.at(k + LdmatrixTransposedB::k(lane()),
                                                 n + LdmatrixTransposedB::n(lane())));
        b[j][0] = pair[0], b[j][1] = pair[1];
        b[j + 1][0] = pair[2], b[j + 1][1] = pair[3];
      }
#pragma unroll
      for (int i = 0; i < kBlocksM; ++i)
#pragma unroll
        for (int j = 0; j < kBlocksN; ++j)
          mma_m16n8k16(d[i][j], a[i], b[j], T());
    }
  }
  copy_async_wait<0>();
  block_sync(); // all have read the last tiles: the result takes their place

  using Result = Tile<T, Shape::kM, Shape::kN>;
  static_assert(sizeof(Result) <= sizeof(typename Shape::Shared), "the stages hold a result");
  auto &result = shared<Result>();
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i)
#pragma unroll
    for (int j = 0; j < kBlocksN; ++j)
#pragma unroll
      for (int r = 0; r < 4; r += 2) {
        int row = warp_row + 16 * i + MmaD::row(lane(), r);
        int column = warp_column + 8 * j + MmaD::col(lane(), r);
        float low = 0.0f, high = 0.0f;
        if (row0 + row < p.m && column0 + column < p.n)
          low = epilogue(d[i][j][r], row0 + row, column0 + column);
        if (row0 + row < p.m && column0 + column + 1 < p.n)
          high = epilogue(d[i][j][r + 1], row0 + row, column0 + column + 1);
        store_vector<T, 2>(result.at(row, column), {round_to<T>(low), round_to<T>(high)});
      }
  block_sync();
  store_tile<Shape::kThreads, Shape::kM>(result, 0, p.y, p.n, row0, p.m, column0, p.n,
                                         thread_index());
}

} // namespace ashlar
