// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Chooses the shardings of a whole module at once, by the solver (Solver/Solver.h).
//
// PlanProblem.h says what is minimised. The search starts from what the names of the mesh's axes
// mean (Conventions.h), so that no plan is slower than that one, where it fits.
//
// The sum counts a resharding once per use, though partitioning makes it once for all uses that
// want the same; and memory is that of tensors, without the buffers of collectives (the driver
// plans again where the program takes more than there is). Whole axes are cut by only; what is
// pinned stays.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PLAN_AUTOPLAN_H
#define ASHLAR_COMPILER_DISTRIBUTION_PLAN_AUTOPLAN_H

#include "mlir/IR/BuiltinOps.h"

namespace ashlar::distribution {

struct AutoPlanOptions {
  int64_t memory = 0;         // bytes per rank; 0: any
  int64_t workLimit = 600000; // of the solver: the same plan on every machine
};

struct AutoPlan {
  double seconds = 0;     // of a run of every function, as the costs have it
  double lowerBound = 0;  // no plan takes less
  int64_t stateBytes = 0; // that a rank keeps
};

/// Chooses, and closes, the shardings of all states, arguments and values. Fails with an error at
/// the module where nothing fits into the memory: what the states alone take when cut over all
/// ranks, and what would help.
mlir::FailureOr<AutoPlan> planSharding(mlir::ModuleOp module, const AutoPlanOptions &options);

} // namespace ashlar::distribution

#endif
