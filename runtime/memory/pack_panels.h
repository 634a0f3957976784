// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loops of packing: columns of one stored matrix into panels. They run at the pace of memory:
// long reads in the order of the file, and writes that stay in the cache until a line is whole.
#pragma once

#include <cstdint>

#include "runtime/memory/tensor_source.h"

namespace ashlar {

// Columns [first, first + count) of a stored matrix go to columns [place, place + count) of the
// panels at `out`.
struct PanelPart {
  const TensorReader* reader;
  int64_t K;       // rows of the weight
  int64_t stride;  // elements of a stored row: K where it is stored transposed, [N, K], else N
  int64_t first, count, place;
  uint32_t* out;  // 64-byte aligned; padding columns are zero already
};

// Copies `bytes`, a multiple of 16, to `to`, a multiple of 16, past the cache: nobody needs them
// soon.
void StreamCopy(const void* from, void* to, int64_t bytes);

// Panels [32 columns][K], f32.
void PackF32(const PanelPart& part, bool transposed);

// A matrix [N, K] where it lies, as panels of the weight [K, N], padding included, at `out`, a
// multiple of 64 bytes with room for N rounded up to 32 times K. Allocates nothing.
void PackMatrix(const float* matrix, int64_t N, int64_t K, char* out);

// Panels [16 columns][K / 2] of pairs of bf16; an odd K is padded with zeros.
void PackBF16(const PanelPart& part, bool transposed);

}  // namespace ashlar
