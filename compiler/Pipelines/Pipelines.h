// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order of the passes, in one place.

#ifndef ASHLAR_COMPILER_PIPELINES_PIPELINES_H
#define ASHLAR_COMPILER_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassManager.h"

#include <string>

namespace ashlar {

class Target;

/// Brings an imported graph module to fused regions; each step is explained where it is added.
/// `machineFile`: constants for the cost model (machine_constants.h); empty: an ordinary core's.
void addFusionPipeline(mlir::OpPassManager &manager, const std::string &machineFile = "");

/// What the target asks for (codegen/Target.h) of fused regions; after fusion.
void addTargetPipeline(mlir::OpPassManager &manager, const Target &target);

/// Where an imported module's tensors lie on a mesh of ranks, and who decides it.
struct DistributionOptions {
  std::string plan;                    // a file (compiler/Distribution/Plan/PlanFile.h), or nothing
  std::string planText;                // what is in it
  std::string mesh, topology = "host"; // `dp=2,tp=4`, in place of a plan's
  int64_t microbatches = 0; // of a pipeline's step, at the most; 0: as many as are fastest
  int64_t chunks = 0;       // stages of each rank of a pipeline; 0: as the plan says, or one
  bool isAutomatic = false; // the solver chooses what is not pinned; else it is propagated
  int64_t memory = 0;       // bytes per rank that an automatic plan may take; 0: any
  bool report = false;      // each collective as a remark
  bool isDistributed() const { return !plan.empty() || !mesh.empty(); }
};

/// The two halves of what follows. Gives an imported module its mesh and its tensors their
/// shardings; and makes one rank's program of that, or one for each stage of a pipeline.
void addAnnotationPipeline(mlir::OpPassManager &manager, const DistributionOptions &options);
void addPartitionPipeline(mlir::OpPassManager &manager, bool report);

/// What may follow the second half: small collectives are joined, others start early, beside
/// arithmetic. What they give then takes memory for longer.
void addOverlapPipeline(mlir::OpPassManager &manager, bool report);

/// Brings an imported module to one rank's program, which takes and gives whole tensors; before
/// fusion, so that kernels see local shapes. Where there is neither a plan nor automation, the
/// names of the mesh's axes say what is cut (compiler/Distribution/Plan/Conventions.h).
void addDistributionPipeline(mlir::OpPassManager &manager, const DistributionOptions &options);

/// Registers the pipelines by name: `ashlar-fusion-pipeline`.
void registerPipelines();

} // namespace ashlar

#endif
