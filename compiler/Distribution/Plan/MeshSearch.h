// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which mesh of so many ranks is fastest. Every mesh of the axes dp and tp is planned with a little
// work of the solver first, which gives a plan and a bound. Only those whose bound is below the
// best plan's time get more, the most promising first; what was not pursued takes at least its
// bound. The best is then the one whose step, with its results gathered, takes least of those that
// were planned fully: a bound of the others may be below that.
//
// The solver knows nothing of the stages of a pipeline, along which no tensor is cut but the model:
// a mesh with an axis pp is planned as what is left of it, with room for as many stages. Where its
// bound (Stages/StageBounds.h) is below the best time without stages, its plan is partitioned, the
// stages are cut, and it is compared by what a step then takes (Stages/StepTimes.h).

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PLAN_MESHSEARCH_H
#define ASHLAR_COMPILER_DISTRIBUTION_PLAN_MESHSEARCH_H

#include "compiler/Distribution/Plan/AutoPlan.h"
#include "compiler/Distribution/Plan/PlanningRoom.h"

namespace ashlar::distribution {

struct MeshChoice {
  std::string mesh;       // `dp=2,tp=4`
  PlanningRoom room;      // bytes per rank
  bool isPlanned = false; // else it was not pursued
  AutoPlan plan;          // where it was
  double seconds = 0;     // of a step of every entry point as it would run, results included
  double lowerBound = 0;  // no plan takes less

  /// After a program that was too large.
  void shrink(int64_t excess) {
    room.shrink(excess);
    isPlanned = false;
  }
};

/// `mesh dp=2,tp=4: 12.3 us`, or `at least` so many where it was not pursued.
std::string toString(const MeshChoice &choice);

/// All meshes of the axes dp and tp over so many ranks, and those with a power of two of stages
/// beside them, up to 16.
std::vector<MeshChoice> getMeshes(int64_t ranks, int64_t memory);

struct MeshSearchOptions {
  AutoPlanOptions planning; // the memory is that of the device, for errors
  std::string topology = "host";
  int64_t microbatches = 0; // of a step in stages, at the most; 0: as many as are fastest
};

/// Plans for these meshes, and gives the fastest first; `module` is left with that mesh, planned.
/// What came of one search can be given to the next, in which only those are planned again whose
/// room has shrunk, and that may be the fastest; where nothing fits, with more room. Fails with an
/// error where no mesh fits. The result is the same on every machine.
mlir::FailureOr<std::vector<MeshChoice>> searchMesh(mlir::ModuleOp module,
                                                    llvm::ArrayRef<MeshChoice> meshes,
                                                    const MeshSearchOptions &options);

} // namespace ashlar::distribution

#endif
