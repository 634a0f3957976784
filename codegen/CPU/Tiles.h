// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The register tiles that every product runs on, products of matrices and of attention alike:
//
//   C[rows, columns] (+)= A[rows, depth] B[depth, columns]
//
// for panels side by side (columns = kPanel times a power of two). Rows are cut into balanced
// groups. There is a function for a group for each kind of B, number of columns and kind of
// prefetch, as each is needed, and each group size has its own straight-line kernel whose sums stay
// in registers: per step of depth a row of B in CpuModel::tileRegisters registers, and per row of A
// one broadcast and a fused multiply-add with each of them.
//
// Weights come from memory once per block of rows. While groups of rows pass over a part of B that
// lies in cache, they ask for the lines of the part that comes next; where they are too few to ask
// for all of it, the first asks for what it will read itself a few steps later.
//
// Each element of C is one chain of fused multiply-adds (or of dot products of pairs) in order of
// depth, whatever the number of rows and the instruction set are.

#ifndef ASHLAR_CODEGEN_CPU_TILES_H
#define ASHLAR_CODEGEN_CPU_TILES_H

#include "codegen/CPU/Emitter.h"
#include "mlir/IR/BuiltinOps.h"

namespace ashlar::cpu {

/// What B holds: f32, or 16-bit elements row by row (BF16Rows, F16Rows), or bf16 with rows 2i and
/// 2i + 1 of one column side by side (BF16, BF16Dot). A is f32, but for BF16Dot, where it is bf16
/// and the depth even.
enum class WeightType { F32, BF16Rows, F16Rows, BF16, BF16Dot };

inline bool hasPairs(WeightType type) {
  return type == WeightType::BF16 || type == WeightType::BF16Dot;
}
/// The columns of B that lie side by side in memory.
inline int64_t getRunColumns(WeightType type) { return hasPairs(type) ? 16 : kPanel; }

/// One product of tiles. Strides are in elements. Row m of A lies at a + m lda, of C at c + m ldc.
/// Column j of B lies in run j / getRunColumns(), which begins at b + run * runStride; a run
/// has a row every ldb, or a pair of rows every 32 elements.
struct TileProduct {
  WeightType type;
  int64_t columns; // kPanel times a power of two
  mlir::Value a, lda, b, ldb, runStride, c, ldc, depth, rows;
  /// The part of B, as deep and with the same runs, that will be needed after this one, its rows
  /// without gaps; null where all of B is in cache, or is streamed.
  mlir::Value next;
  /// Whether B comes from memory run after run, each read from end to end by every group of rows.
  bool isStreamed = false;
  /// Whether C has sums already (i1); where not, it is only written.
  mlir::Value accumulate;
};

/// The rows of a group that reads a streamed B, at most.
int64_t getMostStreamedRows(const CpuModel &model, WeightType type);

/// Emits the product, group of rows by group of rows. `finish`, where there is one, is emitted
/// behind each group's and takes the group's first row and number of rows, whose sums are still in
/// the first-level cache.
void emitTiles(Emitter &e, mlir::ModuleOp module, const TileProduct &product,
               llvm::function_ref<void(mlir::Value first, mlir::Value count)> finish = nullptr);

} // namespace ashlar::cpu

#endif
