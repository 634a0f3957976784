// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A block of rows of a product's left operand, rounded to bf16 in scratch in the order in which the
// machine's bf16 instructions read it, the depth padded with zeros to a multiple of 32:
//
//   Dot    row by row
//   Tile   [row / 16][depth / 32][16][32], the rows padded with zeros to a multiple of 16

#ifndef ASHLAR_CODEGEN_CPU_ROUNDEDLEFT_H
#define ASHLAR_CODEGEN_CPU_ROUNDEDLEFT_H

#include "codegen/CPU/Emitter.h"

namespace ashlar::cpu {

class RoundedLeft {
public:
  RoundedLeft(const CpuModel &model, int64_t depth);

  /// Bytes of a block of `rows` rows, a multiple of 16.
  int64_t getBytes(int64_t rows) const { return rows * rowElements * 2; }

  /// Fills `block` from rows of f32 at `rows`, `stride` elements apart.
  void emit(Emitter &e, mlir::Value block, mlir::Value rows, mlir::Value stride,
            mlir::Value count) const;

  /// The distance, in elements, of a row to the next (Dot) or of a row of tiles to the next (Tile).
  int64_t getRowStride() const { return isTiled ? 16 * rowElements : rowElements; }
  /// The element where the depth `from`, a multiple of 32, begins.
  mlir::Value getDepthOffset(Emitter &e, mlir::Value from) const;

private:
  /// The element where a row begins, and the distance of 32 of its elements to the next 32.
  mlir::Value getRow(Emitter &e, mlir::Value row) const;
  int64_t getChunkStride() const;

  bool isTiled;
  int64_t depth;
  int64_t rowElements; // of a row in scratch, padding included
};

} // namespace ashlar::cpu

#endif
