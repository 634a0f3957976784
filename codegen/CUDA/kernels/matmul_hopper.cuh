// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y = epilogue(a b^T) for sm_90a: bf16 operands, both with their rows along k, float accumulators.
// The first warpgroup's first thread loads tiles of a and b by bulk tensor copies, `Stages` deep;
// two more warpgroups multiply, each 64 rows of the block's 128 x TileN tile. A stage has two
// mbarriers: `full` (its bytes have landed) and `empty` (both warpgroups have read it). k may be
// ragged: the copy engine fills with zeros. Rows of a and b begin at multiples of 16 bytes.
// Operations: 2 m n k.
#pragma once

#include "fragments.h"
#include "tiles.cuh"

namespace ashlar {

struct HopperMatmulParameters {
  TensorMap a; // m x k, box 128 x 64, 128-byte swizzle
  TensorMap b; // n x k, box TileN x 64, 128-byte swizzle
  bf16 *y;     // m x n
  int32 m, n, k;
};

template <int N, int StageCount>
struct HopperMatmulShape {
  static constexpr int kM = 128, kN = N, kK = 64, kStages = StageCount, kThreads = 384;
  struct Shared {
    alignas(1024) bf16 a[kStages][kM * kK];
    alignas(1024) bf16 b[kStages][kN * kK];
    uint64 full[kStages], empty[kStages];
  };
  static constexpr uint32 kStageBytes = (kM + kN) * kK * sizeof(bf16);
};

template <typename Shape, typename Epilogue>
ASHLAR_DEVICE void matmul_hopper(const HopperMatmulParameters &p, Epilogue epilogue) {
  auto &space = shared<typename Shape::Shared>();
  const int row0 = block_y() * Shape::kM, column0 = block_x() * Shape::kN;
  const int steps = (p.k + Shape::kK - 1) / Shape::kK;
  const uint32 group = thread_index() / 128;

  if (thread_index() == 0) {
    prefetch_tensor_map(p.a);
    prefetch_tensor_map(p.b);
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
      tma_load_2d(space.a[slot], p.a, step * Shape::kK, row0, &space.full[slot]);
      tma_load_2d(space.b[slot], p.b, step * Shape::kK, column0, &space.full[slot]);
    }
    return;
  }

  float d[Shape::kN / 2];
#pragma unroll
  for (int i = 0; i < Shape::kN / 2; ++i)
    d[i] = 0.0f;
  for (int step = 0; step < steps; ++step) {
    int slot = step % Shape::kStages;
    mbarrier_wait(&space.full[slot], step / Shape::kStages % 2);
    const bf16 *a = space.a[slot] + (group - 1) * 64 * Shape::kK;
    wgmma_touch(d);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < Shape::kK; k += 16)
      wgmma_m64k16<Shape::kN>(d, swizzled_descriptor(a, k), swizzled_descriptor(space.b[slot], k),
                              true);
    wgmma_commit();
    // The products before this one are done: their slot may be filled again.
    wgmma_wait<1>();
    if (step > 0)
      mbarrier_arrive(&space.empty[(step - 1) % Shape::kStages]);
  }
  wgmma_wait<0>();
  wgmma_touch(d);

  // Both warpgroups have read the last tiles: the result takes their place.
  constexpr uint32 kConsumers = 1;
  named_sync(kConsumers, 256);
  using Result = Tile<bf16, Shape::kM, Shape::kN>;
  static_assert(sizeof(Result) <= Shape::kStages * Shape::kStageBytes, "the stages hold a result");
  auto &result = shared<Result>();
  const int group_row = (group - 1) * 64;
#pragma unroll
  for (int i = 0; i < Shape::kN / 2; i += 2) {
    int row = group_row + WgmmaD::row(thread_index() % 128, i);
    int column = WgmmaD::col(thread_index() % 128, i);
    float low = 0.0f, high = 0.0f;
    if (row0 + row < p.m && column0 + column < p.n)
      low = epilogue(d[i], row0 + row, column0 + column);
    if (row0 + row < p.m && column0 + column + 1 < p.n)
      high = epilogue(d[i + 1], row0 + row, column0 + column + 1);
    store_vector<bf16, 2>(result.at(row, column), {round_to<bf16>(low), round_to<bf16>(high)});
  }
  named_sync(kConsumers, 256);
  store_tile<256, Shape::kM>(result, 0, p.y, p.n, row0, p.m, column0, p.n,
                             static_cast<int>(thread_index()) - 128);
}

} // namespace ashlar
