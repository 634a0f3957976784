// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/compile/lower.h"

#include "compiler/Pipelines/MemoryReport.h"
#include "compiler/Transforms/Passes.h"
#include "dialects/Dist/Dist.h"
#include "llvm/Support/Format.h"
#include "mlir/Pass/PassManager.h"
#include "tools/ashlar/command.h"

using namespace mlir;

namespace ashlar {

namespace {

/// Brings the module onto its mesh; finds the mesh where only a number of devices is given.
LogicalResult distribute(ModuleOp module, CompileOptions& options) {
  DistributionOptions& distribution = options.distribution;
  PassManager manager(module.getContext());
  if (options.devices > 1) {
    if (options.meshes.empty())
      options.meshes = distribution::getMeshes(options.devices, distribution.memory);
    PassManager names(module.getContext());
    names.addNestedPass<func::FuncOp>(createNameValuesPass());
    if (failed(names.run(module))) return failure();
    auto choices = distribution::searchMesh(
        module, options.meshes,
        {{distribution.memory}, distribution.topology, distribution.microbatches});
    if (failed(choices)) return failure();
    distribution.mesh = choices->front().mesh;
    options.meshes = *choices;
    for (const distribution::MeshChoice& choice : *choices)
      llvm::errs() << "  " << toString(choice) << "\n";
    addPartitionPipeline(manager, distribution.report);
  } else if (distribution.isDistributed()) {
    addDistributionPipeline(manager, distribution);
  }
  if (failed(manager.run(module))) return failure();
  dist::MeshOp mesh = dist::findMesh(module);
  if (mesh && mesh->hasAttr(dist::kChunksAttr) && options.isCuda &&
      !llvm::all_of(options.archs, [](StringRef arch) { return arch.starts_with("emulator"); }))
    return mesh.emitError() << "has several stages for each rank, which run on CPUs and emulated "
                               "devices; GPUs have one, --chunks 1";
  return success();
}

/// From one rank's graph to a program: nothing, or the exit code where it ends here, after an error
/// or what --emit asks for.
std::optional<int> lowerGraph(ModuleOp module, const CompileOptions& options,
                              const LoweringOptions& limits, const Target& target, bool overlaps,
                              Progress& progress) {
  PassManager manager(module.getContext());
  if (overlaps) addOverlapPipeline(manager, options.distribution.report);
  if (options.emit == "partitioned")
    return succeeded(manager.run(module)) ? (module.print(llvm::outs()), kOk) : kFailed;
  progress("fuse");
  addFusionPipeline(manager, options.machineFile);
  addTargetPipeline(manager, target);
  if (failed(manager.run(module))) return kFailed;
  if (options.emit == "fused") return module.print(llvm::outs()), kOk;
  progress("plan");
  if (failed(lowerToProgram(module, target, limits))) return kFailed;
  return std::nullopt;
}

/// The same from the imported module. Where collectives that start early take too much memory, they
/// do not.
std::optional<int> lowerOnce(OwningOpRef<ModuleOp>& module, CompileOptions& options,
                             const LoweringOptions& limits, const Target& target, ErrorCodes& codes,
                             Progress& progress) {
  if (options.distribution.isDistributed() || options.devices > 1) progress("distribute");
  codes.enter(ErrorCode::kBadPlan);
  if (failed(distribute(*module, options))) return kFailed;
  codes.enter(ErrorCode::kInternal);
  if (!options.distribution.isDistributed())
    return lowerGraph(*module, options, limits, target, /*overlaps=*/false, progress);
  OwningOpRef<ModuleOp> early = module->clone();
  LoweringOptions unlimited = limits;
  unlimited.memoryLimit.reset();
  std::optional<int> code =
      lowerGraph(*early, options, unlimited, target, /*overlaps=*/true, progress);
  const int64_t excess = code ? 0 : getExcess(*early, options.lowering);
  if (excess == 0) {
    module = std::move(early);
    return code;
  }
  llvm::errs() << "  collectives that start early take " << excess
               << " bytes more than there are: none does\n";
  return lowerGraph(*module, options, limits, target, /*overlaps=*/false, progress);
}

}  // namespace

std::optional<int> Lower(OwningOpRef<ModuleOp>& module, CompileOptions& options,
                         const Target& target, CompilerContext& compiler, Progress& progress) {
  const bool isFree = options.distribution.isAutomatic && options.lowering.memoryLimit;
  options.distribution.memory = options.lowering.memoryLimit.value_or(0);
  PlanningRoom room(options.distribution.memory);
  for (int round = 0; isFree && round < kPlanningRounds; ++round) {
    OwningOpRef<ModuleOp> trial = module->clone();
    CompileOptions tried = options;
    LoweringOptions limits = options.lowering;
    limits.memoryLimit.reset();
    compiler.is_quiet = round > 0;  // the limits of later rounds are nobody's
    std::optional<int> code = lowerOnce(trial, tried, limits, target, compiler.codes, progress);
    compiler.is_quiet = false;
    options.meshes = tried.meshes;
    const int64_t excess = code ? 0 : getExcess(*trial, options.lowering);
    const bool fails = code && *code != kOk;
    if (fails ? round == 0 : excess == 0) {
      module = std::move(trial);
      return code;
    }
    if (options.devices > 1) {
      if (fails) break;
      options.meshes.front().shrink(excess);
    } else {
      fails ? room.grow() : room.shrink(excess);
      options.distribution.memory = room.getBytes();
    }
    llvm::errs() << (fails ? "  no plan fits"
                           : "  the program takes " + std::to_string(excess) + " bytes too much")
                 << ": planning within "
                 << (options.devices > 1 ? options.meshes.front().room : room).getBytes() << "\n";
  }
  options.distribution.memory = options.lowering.memoryLimit.value_or(0);
  return lowerOnce(module, options, options.lowering, target, compiler.codes, progress);
}

}  // namespace ashlar
