// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y[i] = f(x0[i], x1[i], ...) in float over flat arrays, 16 bytes at a time, several independent
// loads in flight; the last few elements one by one. Bytes: (Inputs + 1) x count x sizeof(T).
#pragma once

#include "device.h"

namespace ashlar {

template <typename T, int Inputs>
struct ElementwiseParameters {
  const T *x[Inputs]; // each `count` elements, aligned to 16 bytes
  T *y;               // aligned to 16 bytes; may be one of x
  int64 count;
};

/// `function` maps float (&)[Inputs] to float. `Unroll` vectors are loaded before the first is
/// used.
template <typename T, int Inputs, int Unroll, typename Function>
ASHLAR_DEVICE void elementwise(const ElementwiseParameters<T, Inputs> &p, Function function) {
  constexpr int kWidth = kVectorWidth<T>;
  int64 vectors = p.count / kWidth, threads = int64(grid_x()) * block_size();
  int64 first = int64(block_x()) * block_size() + thread_index();
  for (int64 base = first; base < vectors; base += threads * Unroll) {
    Vec<T, kWidth> x[Unroll][Inputs];
#pragma unroll
    for (int u = 0; u < Unroll; ++u)
#pragma unroll
      for (int k = 0; k < Inputs; ++k)
        if (base + u * threads < vectors)
          x[u][k] = load_vector<T, kWidth>(p.x[k] + (base + u * threads) * kWidth);
#pragma unroll
    for (int u = 0; u < Unroll; ++u) {
      if (base + u * threads >= vectors)
        break;
      Vec<T, kWidth> y;
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        float operands[Inputs];
#pragma unroll
        for (int k = 0; k < Inputs; ++k)
          operands[k] = to_float(x[u][k].element[i]);
        y.element[i] = round_to<T>(function(operands));
      }
      store_vector<T, kWidth>(p.y + (base + u * threads) * kWidth, y);
    }
  }
  for (int64 i = vectors * kWidth + first; i < p.count; i += threads) {
    float operands[Inputs];
#pragma unroll
    for (int k = 0; k < Inputs; ++k)
      operands[k] = to_float(p.x[k][i]);
    p.y[i] = round_to<T>(function(operands));
  }
}

/// x Phi(x) with the error function.
ASHLAR_DEVICE float gelu(float x) { return 0.5f * x * (1.0f + erf(x * 0.70710678118654752f)); }
ASHLAR_DEVICE float silu(float x) { return x / (1.0f + exp(-x)); }

} // namespace ashlar
