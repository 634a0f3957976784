// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/Pipelines.h"

#include "codegen/Target.h"
#include "compiler/Distribution/Passes.h"
#include "compiler/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace ashlar {

void addFusionPipeline(OpPassManager &manager, const std::string &machineFile) {
  // Import has named every value; a module written by hand may not have.
  manager.addNestedPass<func::FuncOp>(createNameValuesPass());
  // Import writes layers one by one; what they share (a mask, a rotation table) becomes one value.
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  // Before fusion, which would otherwise see three products where there is one.
  manager.addNestedPass<func::FuncOp>(createMergeProductsPass());
  // Slices of slices and the like that merging left, so that regions hold as few views as possible.
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addNestedPass<func::FuncOp>(createVerifyPathsPass());
  manager.addNestedPass<func::FuncOp>(createFusePass(FusePassOptions{machineFile}));
  manager.addNestedPass<func::FuncOp>(createVerifyPathsPass());
}

void addTargetPipeline(OpPassManager &manager, const Target &target) {
  // Behind fusion, which knows of attention as a whole; before narrowing, since what merges the
  // parts of an attention is what the next product reads.
  if (int64_t multiprocessors = target.getMultiprocessors())
    manager.addNestedPass<func::FuncOp>(createSplitAttentionPass({multiprocessors}));
  // Behind fusion: only what one kernel hands to another is stored at all.
  if (target.roundsLeftOperands())
    manager.addNestedPass<func::FuncOp>(createNarrowOperandsPass());
  manager.addNestedPass<func::FuncOp>(createVerifyPathsPass());
}

void addAnnotationPipeline(OpPassManager &manager, const DistributionOptions &options) {
  // Plans speak of values by their paths.
  manager.addNestedPass<func::FuncOp>(createNameValuesPass());
  manager.addPass(createPinShardingPass(
      {options.plan, options.planText, options.mesh, options.topology, options.microbatches,
       options.chunks, /*conventions=*/options.plan.empty() && !options.isAutomatic}));
  if (options.isAutomatic) {
    PlanShardingPassOptions planning;
    planning.memory = options.memory;
    planning.report = options.report;
    manager.addPass(createPlanShardingPass(planning));
  }
  // What the solver chooses is closed; this fills in what it has not been asked for.
  manager.addPass(createPropagateShardingPass());
}

void addPartitionPipeline(OpPassManager &manager, bool report) {
  manager.addPass(createPartitionPass({report, /*forPrograms=*/true}));
  // A value that two ops bring to one place by the same slice is brought there once.
  manager.addPass(createCSEPass());
  // On what each rank computes, so that stages send parts, and all passes before know one function.
  manager.addPass(createCutStagesPass({report}));
  manager.addPass(createVerifyCollectivesPass());
}

void addOverlapPipeline(OpPassManager &manager, bool report) {
  manager.addPass(createBucketCollectivesPass({report}));
  manager.addPass(createOverlapCollectivesPass({report}));
  manager.addPass(createVerifyCollectivesPass());
}

void addDistributionPipeline(OpPassManager &manager, const DistributionOptions &options) {
  addAnnotationPipeline(manager, options);
  addPartitionPipeline(manager, options.report);
}

void registerPipelines() {
  PassPipelineRegistration<>("ashlar-fusion-pipeline",
                             "From an imported graph module to fused regions",
                             [](OpPassManager &manager) { addFusionPipeline(manager); });
}

} // namespace ashlar
