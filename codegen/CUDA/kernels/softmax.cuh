// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y = softmax(scale x) over the rows of a matrix, in float, one block to a row, and the update that
// computes a softmax piece by piece (Milakov and Gimelshein, "Online normalizer calculation for
// softmax"). Bytes: 2 x rows x columns x sizeof(T).
#pragma once

#include "reduce.cuh"
#include "vectors.cuh"

namespace ashlar {

/// A softmax over the scores seen so far, in powers of two: sum is that of exp2(score - maximum).
struct OnlineSoftmax {
  float maximum = Max::identity();
  float sum = 0.0f;

  /// Raises the maximum to at least that of further scores; returns the factor by which whatever
  /// was weighted with the old maximum must be multiplied.
  ASHLAR_DEVICE float raise(float further) {
    float raised = max(maximum, further);
    // Nothing seen yet, or only masked scores: there is nothing to rescale.
    float factor = maximum == Max::identity() ? 0.0f : exp2(maximum - raised);
    maximum = raised;
    sum *= factor;
    return factor;
  }
  /// The weight of a score that is at most the maximum; 0 of a masked one.
  ASHLAR_DEVICE float weight(float score) const {
    return score == Max::identity() ? 0.0f : exp2(score - maximum);
  }
};

inline constexpr float kLog2E = 1.44269504088896f, kLn2 = 0.69314718055995f;

template <typename T>
struct SoftmaxParameters {
  const T *x; // rows x columns
  T *y;       // rows x columns; may be x
  int32 rows, columns;
  float scale;
};

template <typename T, int Threads, int Vectors>
ASHLAR_DEVICE void softmax_rows(const SoftmaxParameters<T> &p) {
  auto &space = shared<ReductionSpace>();
  RowRegisters<T, Threads, Vectors> x;
  for (int row = block_x(); row < p.rows; row += grid_x()) {
    int64 offset = int64(row) * p.columns;
    x.load(p.x + offset, p.columns, Max::identity());
    float maximum = Max::identity();
    x.each(p.columns, [&](float &value, int, int) {
      value *= p.scale * kLog2E;
      maximum = max(maximum, value);
    });
    maximum = block_reduce<Max, Threads>(maximum, space);
    float sum = 0.0f;
    x.each(p.columns, [&](float &value, int, int) {
      value = exp2(value - maximum);
      sum += value;
    });
    float inverse = 1.0f / block_reduce<Sum, Threads>(sum, space);
    x.each(p.columns, [&](float &value, int, int) { value *= inverse; });
    x.store(p.y + offset, p.columns);
  }
}

} // namespace ashlar
