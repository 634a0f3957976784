// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions over the lanes of a warp (butterfly: every lane gets the same bits) and over the
// threads of a block (warps first, then their results, in a fixed order).
#pragma once

#include "device.h"

namespace ashlar {

struct Sum {
  static ASHLAR_DEVICE float identity() { return 0.0f; }
  static ASHLAR_DEVICE float combine(float a, float b) { return a + b; }
};
struct Max {
  static ASHLAR_DEVICE float identity() { return -float_of(0x7f800000u); }
  static ASHLAR_DEVICE float combine(float a, float b) { return max(a, b); }
};

/// Reduces over groups of `Lanes` neighbouring lanes (a power of two); all lanes take part.
template <typename Op, int Lanes = 32>
ASHLAR_DEVICE float warp_reduce(float x) {
#pragma unroll
  for (int lanes = Lanes / 2; lanes > 0; lanes /= 2)
    x = Op::combine(x, shuffle_xor(x, lanes));
  return x;
}

/// What block_reduce needs of shared memory.
struct ReductionSpace {
  float partial[32];
};

/// Reduces over all threads of the block; all get the result. The space may be used again after it.
template <typename Op, int Threads>
ASHLAR_DEVICE float block_reduce(float x, ReductionSpace &space) {
  static_assert(Threads % 32 == 0 && Threads <= 1024, "whole warps");
  x = warp_reduce<Op>(x);
  if constexpr (Threads > 32) {
    if (lane() == 0)
      space.partial[warp()] = x;
    block_sync();
    x = Op::identity();
#pragma unroll
    for (int w = 0; w < Threads / 32; ++w)
      x = Op::combine(x, space.partial[w]);
    block_sync();
  }
  return x;
}

} // namespace ashlar
