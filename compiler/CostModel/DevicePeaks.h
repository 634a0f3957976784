// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// GPUs by their makers' figures, and what a matrix product takes on one at the least (Williams,
// Waterman and Patterson, 2009):
//
//   compute = 2 rows columns depth / peak of the operands' type
//   memory  = bytes of (weight + bias, and left + addend + result where these are more than half of
//             the last-level cache) / bandwidth
//
// Weights come from memory: a model's together are more than the cache holds. Left and addend have
// just been written, and the result is about to be read: they stay where they fit, as on a CPU
// (Roofline.h); traffic with the cache costs nothing here. Nothing of this was measured, and no
// kernel reaches a data sheet's peaks.

#ifndef ASHLAR_COMPILER_COSTMODEL_DEVICEPEAKS_H
#define ASHLAR_COMPILER_COSTMODEL_DEVICEPEAKS_H

#include <algorithm>
#include <string_view>

namespace ashlar {

/// Operations a second without sparsity (a fused multiply-add is two), by the operands' type, sums
/// in f32; bytes a second of its memory; bytes of its last-level cache.
struct DevicePeaks {
  const char *arch, *name; // "sm_80", "A100 SXM 80GB"
  double f32, tf32, half, memory, cache;
};

/// The device whose architecture has this name; null where no data sheet is known.
const DevicePeaks *findDevicePeaks(std::string_view arch);

/// The same, or that of the newest device before it: of code for "sm_86" an A100's. The first one's
/// for what names no architecture.
const DevicePeaks &getDevicePeaks(std::string_view arch);

/// left [rows, depth] times weight [columns, depth], transposed; addend and result [rows, columns].
struct ProductShape {
  double rows = 0, columns = 0, depth = 0;
  double elementBytes = 4, resultBytes = 4; // of left and weight: 4 is f32; of all others
  bool hasBias = false, hasAddend = false;
  bool usesTf32 = false; // f32 operands, rounded to tf32
};

/// The least seconds of each, of which the larger is the product's.
struct ProductTime {
  double compute = 0, memory = 0;
  double getSeconds() const { return std::max(compute, memory); }
  bool isComputeBound() const { return compute > memory; }
};

ProductTime predict(const ProductShape &shape, const DevicePeaks &device);

} // namespace ashlar

#endif
