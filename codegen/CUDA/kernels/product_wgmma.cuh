// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of one 16-bit left operand with one or more weights of its type on sm_90a's tensor
// cores: wgmma over tiles that bulk tensor copies bring, `Stages` deep. The first warpgroup's first
// thread loads; two more warpgroups multiply, each 64 rows of the block's 128 x TileN tile of each
// product. A stage has two mbarriers: `full` (its bytes have landed) and `empty` (both warpgroups
// have read it). The depth may be ragged: the copy engine fills with zeros. Operations: 2 m n k a
// product.
#pragma once

#include "epilogue.cuh"
#include "fragments.h"
#include "matrix.cuh"

namespace ashlar {

template <typename Element, int TileN, int ProductCount, int StageCount, int LaneCount>
struct WgmmaProductShape {
  using T = Element;
  static constexpr int kM = 128, kN = TileN, kK = 64, kProducts = ProductCount;
  static constexpr int kStages = StageCount, kThreads = 384;
  static constexpr int kLanes = LaneCount; // neighbours that the epilogue takes at once: 1 or 4
  struct Shared {
    alignas(1024) T a[kStages][kM * kK];
    alignas(1024) T b[kStages][kProducts][kN * kK];
    uint64 full[kStages], empty[kStages];
  };
  static constexpr uint32 kStageBytes = (kM + kProducts * kN) * kK * sizeof(T);
  // The results of the eight warps that multiply take the place of the tiles.
  using Result = EpilogueSpace<kProducts, kN>;
  static_assert(8 * sizeof(Result) <= kStages * kStageBytes, "the stages hold the results");
};

/// The maps are boxes of 128 x 64 elements of the left operand and TileN x 64 of each weight, with
/// the 128-byte swizzle. The grid is (tiles of rows, tiles of columns). `epilogue(row, column,
/// product)` gets kLanes neighbours of each product.
template <typename Shape, typename Epilogue>
ASHLAR_DEVICE void product_wgmma(const TensorMap &left,
                                 const TensorMap *const (&weights)[Shape::kProducts], int32 rows,
                                 int32 columns, int32 depth, Epilogue epilogue) {
  using T = typename Shape::T;
  auto &space = shared<typename Shape::Shared>();
  const TileOfBlock tile = tile_of_block();
  const int32 row0 = tile.row * Shape::kM, column0 = tile.column * Shape::kN;
  const int steps = (depth + Shape::kK - 1) / Shape::kK;
  const uint32 group = thread_index() / 128;

  if (thread_index() == 0) {
    prefetch_tensor_map(left);
#pragma unroll
    for (int p = 0; p < Shape::kProducts; ++p)
      prefetch_tensor_map(*weights[p]);
    for (int s = 0; s < Shape::kStages; ++s) {
      mbarrier_init(&space.full[s], 1);
      mbarrier_init(&space.empty[s], 2 * 128);
    }
    mbarrier_init_fence();
  }
  block_sync();

  if (group == 0) {
    if (thread_index() != 0)
      return;
    for (int step = 0; step < steps; ++step) {
      int slot = step % Shape::kStages;
      // The slot's round r waits for the end of round r - 1; the first passes.
      mbarrier_wait(&space.empty[slot], (step / Shape::kStages + 1) % 2);
      mbarrier_arrive_expect(&space.full[slot], Shape::kStageBytes);
      tma_load_2d(space.a[slot], left, step * Shape::kK, row0, &space.full[slot]);
#pragma unroll
      for (int p = 0; p < Shape::kProducts; ++p)
        tma_load_2d(space.b[slot][p], *weights[p], step * Shape::kK, column0, &space.full[slot]);
    }
    return;
  }

  float d[Shape::kProducts][Shape::kN / 2];
#pragma unroll
  for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
    for (int i = 0; i < Shape::kN / 2; ++i)
      d[p][i] = 0.0f;
  for (int step = 0; step < steps; ++step) {
    int slot = step % Shape::kStages;
    mbarrier_wait(&space.full[slot], step / Shape::kStages % 2);
    const T *a = space.a[slot] + (group - 1) * 64 * Shape::kK;
#pragma unroll
    for (int p = 0; p < Shape::kProducts; ++p)
      wgmma_touch(d[p]);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < Shape::kK; k += 16)
#pragma unroll
      for (int p = 0; p < Shape::kProducts; ++p)
        wgmma_m64k16<Shape::kN>(d[p], swizzled_descriptor(a, k),
                                swizzled_descriptor(space.b[slot][p], k), true, T());
    wgmma_commit();
    // The products before this one are done: their slot may be filled again.
    wgmma_wait<1>();
    if (step > 0)
      mbarrier_arrive(&space.empty[(step - 1) % Shape::kStages]);
  }
  wgmma_wait<0>();
#pragma unroll
  for (int p = 0; p < Shape::kProducts; ++p)
    wgmma_touch(d[p]);

  // Both warpgroups have read the last tiles.
  constexpr uint32 kConsumers = 1;
  named_sync(kConsumers, 256);
  struct Results {
    typename Shape::Result warps[8];
  };
  const int mine = warp() - 4;
  warp_epilogue<Shape::kLanes>(
      shared<Results>().warps[mine], row0 + 16 * mine, rows, column0, columns,
      [&](typename Shape::Result &to) {
#pragma unroll
        for (int p = 0; p < Shape::kProducts; ++p)
#pragma unroll
          for (int i = 0; i < Shape::kN / 2; i += 2)
            store_vector<float, 2>(&to.element[p][WgmmaD::row(lane(), i)][WgmmaD::col(lane(), i)],
                                   {d[p][i], d[p][i + 1]});
      },
      epilogue);
}

} // namespace ashlar
