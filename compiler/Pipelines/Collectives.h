// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dist dialect's part of lowering: collectives as records of the program dialect, and which
// part of a dimension or a checkpoint's tensor a rank holds.

#ifndef ASHLAR_COMPILER_PIPELINES_COLLECTIVES_H
#define ASHLAR_COMPILER_PIPELINES_COLLECTIVES_H

#include "dialects/Dist/Dist.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Program/Program.h"

namespace ashlar {

/// Whether an op is run by the runtime among the launches: a collective, or what differs by rank.
bool isRankOp(mlir::Operation *op);

/// Whether an op is a collective that is waited for later.
bool isStarted(mlir::Operation *op);

/// Whether an op sends while its rank goes on with another one of its stages: what it sends stays
/// where it is until this one is run again.
bool isSentLater(mlir::Operation *op);

/// What a started collective gives, where it is waited for; null for other ops.
mlir::Value getAwaited(mlir::Operation *op);

/// What a collective gives, at once or where it is waited for; null for a send.
mlir::Value getGiven(mlir::Operation *op);

/// Bytes that the op packs parts in, at the bound; 0 where all parts are runs of bytes. `isPacked`:
/// what it gathers is a weight, which goes into panels from there.
int64_t getWorkspaceBytes(mlir::Operation *op, bool isPacked,
                          llvm::function_ref<int64_t(mlir::StringAttr)> bound);

/// Creates the record of an op whose operand and result lie there (null: it has no operand, or
/// needs no workspace). Fails, with an error, for what no runtime has.
mlir::LogicalResult createCollective(mlir::OpBuilder &builder, mlir::Operation *op,
                                     program::OperandAttr input, program::OperandAttr output,
                                     program::OperandAttr workspace, bool isPacked);

/// The tensor of the checkpoint of which a state holds a part, or null.
program::ShardAttr getShard(graph::StateOp state);

/// Turns the module's mesh into program.mesh, and a declared dimension into program.dim.
void lowerMesh(mlir::ModuleOp module);
void lowerDim(graph::DimOp dim);

} // namespace ashlar

#endif
