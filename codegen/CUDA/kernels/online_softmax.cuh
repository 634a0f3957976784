// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The update that computes a softmax piece by piece (Milakov and Gimelshein, "Online normalizer
// calculation for softmax").
#pragma once

#include "reduce.cuh"

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

} // namespace ashlar
