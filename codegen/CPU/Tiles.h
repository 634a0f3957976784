// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The register tiles that every product runs on, products of matrices and of attention alike. One
// function per image and weight type:
//
//   tile_f32 (A, lda, B, ldb, C, ldc, K, M)   C[M, columns] += A[M, K] B[K, columns], row m of A at
//   A + m lda
//
// with columns = CpuModel::tileColumns (two registers). For f32 row k of B lies at B + k ldb;
// tile_bf16 reads two-byte weights as [K / 2][16][2] panels, ldb being the distance of two
// neighbouring panels in elements. Rows are cut into balanced groups of at most tileRows, and each
// group size has its own straight-line kernel whose accumulators stay in registers: per k one load
// of a row of B, one broadcast and two fused multiply-adds per row of A.
//
// Each element of C is one chain of fused multiply-adds in order of k, whatever M and the
// instruction set are.

#ifndef ASHLAR_CODEGEN_CPU_TILES_H
#define ASHLAR_CODEGEN_CPU_TILES_H

#include "codegen/CPU/Emitter.h"
#include "mlir/IR/BuiltinOps.h"

namespace ashlar::cpu {

enum class WeightType { F32, BF16 };

/// Calls the tile function for C[rows, kPanel] += A[rows, depth] B[depth, kPanel], creating it in
/// the module where it is called for the first time. `b` is f32 rows at stride `ldb`, or a pair of
/// bf16 panels at distance `ldb`.
void emitTiles(Emitter &e, mlir::ModuleOp module, WeightType type, mlir::Value a, mlir::Value lda,
               mlir::Value b, mlir::Value ldb, mlir::Value c, mlir::Value ldc, mlir::Value depth,
               mlir::Value rows);

} // namespace ashlar::cpu

#endif
