// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What one launch does at given extents, as the artifact tells it (artifact.fbs, Work): the one
// description that costs, predictions and profiles are made of.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/program/artifact_generated.h"

namespace ashlar {

struct Work {
  double product_flops = 0;      // of matrix products; a fused multiply-add is two
  double bf16_flops = 0;         // those of them that multiply a weight of bf16
  double elementwise_flops = 0;  // other arithmetic
  double transcendentals = 0;    // evaluations of exp, erf, tanh, log, sin, cos
  double weight_read = 0;        // bytes, each once: what caches do not save has to move
  double arena_read = 0, arena_write = 0;
  double state_read = 0, state_write = 0;
  int64_t items = 0;  // work items that threads share

  double flops() const;  // all; a transcendental function counts kTranscendentalFlops
  double bytes() const { return weight_read + arena_read + arena_write + state_read + state_write; }
  Work& operator+=(const Work& other);
};

// Operations of the polynomial that stands for a transcendental function.
inline constexpr double kTranscendentalFlops = 20;

// At the program's extents `dims`, for a verified program. A cache is described at its room;
// `state_share`, in [0, 1], is the part of it that is in use: where a launch reads state, its
// reads of state and all its arithmetic shrink by it.
Work WorkOf(const fb::ProgramT& program, const fb::LaunchT& launch, const int64_t* dims,
            double state_share = 1);

}  // namespace ashlar
