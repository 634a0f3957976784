// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The solver's search for a plan of one module, in portions: a little work says about how good a
// mesh is, and more makes the plan of one that is worth it.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PLAN_PLANNER_H
#define ASHLAR_COMPILER_DISTRIBUTION_PLAN_PLANNER_H

#include "compiler/Distribution/Plan/AutoPlan.h"
#include "compiler/Distribution/Plan/PlanProblem.h"

namespace ashlar::distribution {

class Planner {
public:
  /// The problem of a module, which has a mesh, within so many bytes per rank (0: any), and the
  /// plans that people would write for it, which every search starts from.
  Planner(mlir::ModuleOp module, int64_t memory);

  /// Searches with so much work, of which every machine makes the same plan, and keeps the best
  /// plan and bound of all searches. Touches no IR, so that several planners may search at once.
  /// Fails where the solver refuses the problem.
  absl::Status search(int64_t workLimit, int threads);

  bool hasPlan() const { return !choices.empty(); }
  /// Whether more work finds nothing better.
  bool isDone() const { return done; }
  /// Of the plan that was found.
  double getSeconds() const { return PlanProblem::toSeconds(cost); }
  /// No plan takes less.
  double getLowerBound() const { return PlanProblem::toSeconds(lowerBound); }

  /// Closes every tensor of the module as the best plan has it.
  AutoPlan apply();

private:
  void chooseStart();

  PlanProblem problem;
  std::vector<std::vector<int32_t>> conventional; // what people would write
  std::vector<int32_t> choices;
  solver::Cost cost = 0, lowerBound = 0;
  bool done = false;
};

/// The threads that a machine has for searches.
int getSearchThreads();

/// Errors at a module: that no plan fits into so many bytes per rank, or with 0 that none follows
/// its pins; and that the solver refuses the problem.
mlir::LogicalResult reportNoPlan(mlir::ModuleOp module, int64_t memory);
mlir::LogicalResult reportRefusal(mlir::ModuleOp module, const absl::Status &status);

} // namespace ashlar::distribution

#endif
