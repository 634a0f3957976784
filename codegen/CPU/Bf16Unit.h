// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The instructions for products of bf16: AVX512_BF16's dot products of pairs, and AMX's tiles. For
// a CpuModel that emulates them they are expanded into AVX-512, so that everything around them runs
// on machines without them: the same products, a tile's sums in an order of our own.
//
// A pair is two bf16 elements that are neighbours along the depth, in one 32-bit lane, the earlier
// in the lower half. Sources: Intel SDM volume 2, VDPBF16PS, TDPBF16PS, TILELOADD.

#ifndef ASHLAR_CODEGEN_CPU_BF16UNIT_H
#define ASHLAR_CODEGEN_CPU_BF16UNIT_H

#include "codegen/CPU/Emitter.h"

namespace ashlar::cpu {

/// A tile has as many rows, and as many 32-bit columns.
inline constexpr int64_t kTileRows = 16;
/// The depth of a tile of the left or right operand.
inline constexpr int64_t kTileDepth = 2 * kTileRows;

class Bf16Unit {
public:
  using Value = mlir::Value;

  explicit Bf16Unit(Emitter &emitter) : e(emitter) {}

  /// sums + the product of the pairs in each lane; `left` and `right` are i32 registers.
  Value dot(Value sums, Value left, Value right);

  // Tiles. Addresses are of the first row; strides between rows are in bytes. A left tile has 16
  // rows of `pairs` pairs of the depth, a right one `pairs` rows of 16 columns.
  Value zeroSums();
  Value loadSums(Value address, Value stride);
  void storeSums(Value sums, Value address, Value stride);
  Value loadLeft(Value address, int64_t pairs);
  Value loadRight(Value address, int64_t pairs);
  /// sums + left * right.
  Value multiply(Value sums, Value left, Value right, int64_t pairs);

private:
  Value load(mlir::Type element, Value address, Value stride, int64_t rows, int64_t columns);
  Value call(mlir::Type result, llvm::StringRef intrinsic, mlir::ValueRange operands);
  Value shape(int64_t value);
  Value widen(Value pairs, bool upper);

  Emitter &e;
};

} // namespace ashlar::cpu

#endif
