// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Moving collectives within a block.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_OVERLAP_MOVES_H
#define ASHLAR_COMPILER_DISTRIBUTION_OVERLAP_MOVES_H

#include "compiler/Distribution/Costs.h"

namespace ashlar::distribution {

/// The first of the op's readers in its block; the block's end where it has none.
mlir::Operation *getFirstReader(mlir::Operation *op);

/// Whether an op only reads or views, by the modelled times, and so goes along with whoever needs
/// it.
bool movesAlong(mlir::Operation *op, Costs &costs);

/// Whether what makes a value may stand before an op: it does, or goes along.
bool mayStandBefore(mlir::Value value, mlir::Operation *place, Costs &costs);

/// Moves what goes along with a value that may stand there before an op.
void moveBefore(mlir::Value value, mlir::Operation *place, Costs &costs);

} // namespace ashlar::distribution

#endif
