// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which mesh of so many ranks is fastest: every mesh is planned with a little work of the solver
// first, which gives a plan and a bound. Only those that may still be the best get more, the most
// promising first. What was not pursued takes at least its bound.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PLAN_MESHSEARCH_H
#define ASHLAR_COMPILER_DISTRIBUTION_PLAN_MESHSEARCH_H

#include "compiler/Distribution/Plan/AutoPlan.h"

namespace ashlar::distribution {

struct MeshChoice {
  std::string mesh;       // `dp=2,tp=4`
  bool isPlanned = false; // with all the work; else it was not pursued
  double seconds = 0;     // of a run of every entry point, by the plan
  double lowerBound = 0;  // no plan takes less
};

/// `mesh dp=2,tp=4: 12.3 us`, or `at least` so many where it was not pursued.
std::string toString(const MeshChoice &choice);

/// All meshes of two axes, dp and tp, over so many ranks.
std::vector<std::string> getMeshes(int64_t ranks);

/// Of what a search has found those that may be the best within a little less memory, too.
std::vector<std::string> getPromising(llvm::ArrayRef<MeshChoice> choices);

/// Plans for these meshes, and gives the fastest first; `module` is left with that mesh, planned.
/// Fails with an error where none fits. The result is the same on every machine.
mlir::FailureOr<std::vector<MeshChoice>> searchMesh(mlir::ModuleOp module,
                                                    llvm::ArrayRef<std::string> meshes,
                                                    llvm::StringRef topology,
                                                    const AutoPlanOptions &options);

} // namespace ashlar::distribution

#endif
