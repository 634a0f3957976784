// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random modules for property tests: neighbours that no model has.

#ifndef ASHLAR_TEST_LIB_RANDOMGRAPH_H
#define ASHLAR_TEST_LIB_RANDOMGRAPH_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace ashlar::test {

inline constexpr int64_t kRandomGraphWidth = 24;

/// An entry point @f of one input `x` [batch 1 to 3, seq 1 to 9, kRandomGraphWidth] and parameters
/// drawn by init, over a dozen ops. `allOps`: also reductions, positions, lookups, products of
/// values, running sums.
mlir::OwningOpRef<mlir::ModuleOp> makeRandomGraph(mlir::MLIRContext &context, uint32_t seed,
                                                  bool allOps = false);

} // namespace ashlar::test

#endif
