// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What steps take by the model, with and without stages, so that meshes can be compared.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_STAGES_STEPTIMES_H
#define ASHLAR_COMPILER_DISTRIBUTION_STAGES_STEPTIMES_H

#include "mlir/IR/BuiltinOps.h"

namespace ashlar::distribution {

struct StepTime {
  std::string entry;
  double seconds = 0; // at the bounds, until every rank has the results
  int64_t microbatches = 1;
};

/// A step of each entry point of a partitioned module, whose stages are not cut yet: where its mesh
/// has an axis of stages, the time of the schedule in which they would run (Microbatches.h), with
/// what brings the results to all stages. What overlaps is not counted as such. Fails, with an
/// error, where the stages cannot be cut.
mlir::FailureOr<std::vector<StepTime>> modelSteps(mlir::ModuleOp module);

} // namespace ashlar::distribution

#endif
