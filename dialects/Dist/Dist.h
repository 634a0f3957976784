// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dist dialect: tensors over a mesh of ranks. See README.md for the rationale, Sharding.h for
// what a sharding means, DistOps.td for the ops.

#ifndef ASHLAR_DIALECTS_DIST_DIST_H
#define ASHLAR_DIALECTS_DIST_DIST_H

#include "dialects/Dist/Sharding.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <optional>

#include "dialects/Dist/DistDialect.h.inc"
#include "dialects/Dist/DistEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Dist/DistAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Dist/DistTypes.h.inc"

namespace ashlar::dist {

/// The tensor that a collective gives, also where it is pending; null where it gives none.
mlir::RankedTensorType getOutputType(mlir::Operation *op);

} // namespace ashlar::dist

#include "dialects/Dist/DistBase.h.inc"

#define GET_OP_CLASSES
#include "dialects/Dist/DistOps.h.inc"

namespace ashlar::dist {

inline constexpr llvm::StringLiteral kShardingAttr = "dist.sharding";
inline constexpr llvm::StringLiteral kShardingsAttr = "dist.shardings";
inline constexpr llvm::StringLiteral kPinnedAttr = "dist.pinned";
inline constexpr llvm::StringLiteral kLocalAttr = "dist.local";
inline constexpr llvm::StringLiteral kGlobalTypeAttr = "dist.global_type";
inline constexpr llvm::StringLiteral kRanksAttr = "dist.ranks";
inline constexpr llvm::StringLiteral kStageAttr = "dist.stage";
// In how many microbatches a step of a stage's function runs, an I64, and the symbol of the
// dimension that is split. On a mesh: in how many at the most, where someone has said so.
inline constexpr llvm::StringLiteral kMicrobatchesAttr = "dist.microbatches";
inline constexpr int64_t kMostMicrobatches = 1 << 16;
inline constexpr llvm::StringLiteral kBatchAttr = "dist.batch";
// What a step of a stage's entry point takes by the model, all stages together: an F64, seconds.
inline constexpr llvm::StringLiteral kStepSecondsAttr = "dist.step_seconds";
// Of a mesh: how many stages each rank of a pipeline has, an I64; one where it is left out.
inline constexpr llvm::StringLiteral kChunksAttr = "dist.chunks";
inline constexpr int64_t kMostChunks = 8;

/// `[dp, tp:(1)2]`
mlir::ParseResult parseAxes(mlir::AsmParser &parser, AxesAttr &axes);
void printAxes(mlir::AsmPrinter &printer, AxesAttr axes);

/// Between attributes and plain values.
Axes getAxes(AxesAttr axes, const Mesh &mesh);
AxesAttr getAttr(mlir::MLIRContext *context, llvm::ArrayRef<Axis> axes, const Mesh &mesh);
Sharding getSharding(ShardingAttr sharding, const Mesh &mesh);
ShardingAttr getAttr(mlir::FlatSymbolRefAttr meshName, const Sharding &sharding, const Mesh &mesh);

/// The module's mesh, or null; a module has one.
MeshOp findMesh(mlir::ModuleOp module);

} // namespace ashlar::dist

#endif
