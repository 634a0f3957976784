// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order of the passes, in one place.

#ifndef ASHLAR_COMPILER_PIPELINES_PIPELINES_H
#define ASHLAR_COMPILER_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassManager.h"

#include <string>

namespace ashlar {

/// Brings an imported graph module to fused regions; each step is explained where it is added.
/// `machineFile`: constants for the cost model (machine_constants.h); empty: an ordinary core's.
void addFusionPipeline(mlir::OpPassManager &manager, const std::string &machineFile = "");

/// For targets that round left operands of products (Target::roundsLeftOperands); after fusion.
void addNarrowingPipeline(mlir::OpPassManager &manager);

/// Registers the pipelines by name: `ashlar-fusion-pipeline`.
void registerPipelines();

} // namespace ashlar

#endif
