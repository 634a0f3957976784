// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Layer norm, y = (x - mean) / sqrt(var + epsilon) * gain + bias, and RMS norm,
// y = x / sqrt(mean(x^2) + epsilon) * gain, over the rows of a matrix. One block takes one row at a
// time and holds it in registers, in float: each element is read once and written once.
// Bytes: (2 rows + gain and bias) x columns x sizeof(T).
#pragma once

#include "reduce.cuh"
#include "vectors.cuh"

namespace ashlar {

template <typename T>
struct NormParameters {
  const T *x;    // rows x columns
  const T *gain; // columns
  const T *bias; // columns; not read by RMS norm
  T *y;          // rows x columns; may be x
  int32 rows, columns;
  float epsilon;
};

/// Threads of a block; columns <= Threads * Vectors * 16 / sizeof(T).
template <typename T, int Threads, int Vectors, bool Rms>
ASHLAR_DEVICE void norm_rows(const NormParameters<T> &p) {
  auto &space = shared<ReductionSpace>();
  RowRegisters<T, Threads, Vectors> x, gain, bias;
  gain.load(p.gain, p.columns, 0.0f);
  if constexpr (!Rms)
    bias.load(p.bias, p.columns, 0.0f);
  for (int row = block_x(); row < p.rows; row += grid_x()) {
    int64 offset = int64(row) * p.columns;
    x.load(p.x + offset, p.columns, 0.0f);
    if constexpr (!Rms) {
      float sum = 0.0f;
      x.each(p.columns, [&](float &value, int, int) { sum += value; });
      float mean = block_reduce<Sum, Threads>(sum, space) / p.columns;
      x.each(p.columns, [&](float &value, int, int) { value -= mean; });
    }
    float squares = 0.0f;
    x.each(p.columns, [&](float &value, int, int) { squares = fma(value, value, squares); });
    float scale = rsqrt(block_reduce<Sum, Threads>(squares, space) / p.columns + p.epsilon);
    x.each(p.columns, [&](float &value, int v, int i) {
      value *= scale * gain.value[v][i];
      if constexpr (!Rms)
        value += bias.value[v][i];
    });
    x.store(p.y + offset, p.columns);
  }
}

template <typename T, int Threads, int Vectors>
ASHLAR_DEVICE void layer_norm(const NormParameters<T> &p) {
  norm_rows<T, Threads, Vectors, false>(p);
}
template <typename T, int Threads, int Vectors>
ASHLAR_DEVICE void rms_norm(const NormParameters<T> &p) {
  norm_rows<T, Threads, Vectors, true>(p);
}

} // namespace ashlar
