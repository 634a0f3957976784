// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the runtime checks before a step: that appends stay inside their caches.

#ifndef ASHLAR_COMPILER_PIPELINES_LIMITS_H
#define ASHLAR_COMPILER_PIPELINES_LIMITS_H

#include "compiler/Pipelines/WeightTable.h"

namespace ashlar {

/// Makes a program.limit, where the builder stands, on every counter that gives the positions of an
/// append of the function. Fails, with an error, where positions are not read from a state.
mlir::LogicalResult createLimits(mlir::func::FuncOp function, WeightTable &weights,
                                 mlir::OpBuilder &builder);

/// A limit that one stage of an entry checks holds for the counters of all: each checks it, and
/// knows from it how the ranks share what it counts.
void shareLimits(mlir::ModuleOp module);

} // namespace ashlar

#endif
