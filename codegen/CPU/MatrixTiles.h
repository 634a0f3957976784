// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products on AMX's tiles:
//
//   C[rows, columns] (+)= A[rows, depth] B[depth, columns]
//
// A in bf16 in the order of RoundedLeft, B a panel or two of bf16 weights, C f32. Two by two tiles
// of sums, or one by two where 16 rows or fewer are left, stay in registers; each step of 32 along
// the depth takes a tile of A for each row of tiles and one of B for each column. What is left of
// the depth has functions of its own, whose tiles are smaller: a function has one set of shapes, so
// that LLVM never runs out of tile registers.
//
// Rows of C up to the next multiple of 16 are written, too.

#ifndef ASHLAR_CODEGEN_CPU_MATRIXTILES_H
#define ASHLAR_CODEGEN_CPU_MATRIXTILES_H

#include "codegen/CPU/Emitter.h"
#include "mlir/IR/BuiltinOps.h"

namespace ashlar::cpu {

/// Strides are in elements.
struct MatrixProduct {
  int64_t columns;              // a multiple of kPanel
  int64_t depth;                // begins at a multiple of kTileDepth
  bool accumulate;              // whether C has sums already
  mlir::Value a, tileRowStride; // distance of a row of A's tiles to the next
  mlir::Value b, runStride;     // distance of 16 columns of B to the next
  mlir::Value c, ldc, rows;
};

/// Emits the product, 32 rows after the other; `finish` as for emitTiles().
void emitMatrixTiles(Emitter &e, mlir::ModuleOp module, const MatrixProduct &product,
                     llvm::function_ref<void(mlir::Value first, mlir::Value count)> finish);

} // namespace ashlar::cpu

#endif
