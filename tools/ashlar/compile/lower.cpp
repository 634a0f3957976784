// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/compile/lower.h"

#include "compiler/Pipelines/MemoryReport.h"
#include "compiler/Transforms/Passes.h"
#include "dialects/Dist/Dist.h"
#include "llvm/Support/Format.h"
#include "mlir/Pass/PassManager.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/compile/planning_rounds.h"

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

/// Lowers copies of the module until the solver's plan makes a program that fits. Whether that, or
/// the first error, is the answer: then `module` and `code` are as Lower leaves them.
bool lowerInRounds(OwningOpRef<ModuleOp>& module, CompileOptions& options, const Target& target,
                   CompilerContext& compiler, Progress& progress, std::optional<int>& code) {
  OwningOpRef<ModuleOp> trial;
  auto plan = [&](int64_t room, bool) -> FailureOr<int64_t> {
    trial = module->clone();
    CompileOptions tried = options;
    tried.distribution.memory = room;
    LoweringOptions limits = options.lowering;
    limits.memoryLimit.reset();
    code = lowerOnce(trial, tried, limits, target, compiler.codes, progress);
    options.meshes = tried.meshes;
    if (code && *code != kOk) return failure();
    return code ? 0 : getExcess(*trial, options.lowering);
  };
  auto report = [](FailureOr<int64_t> excess, int64_t next) {
    llvm::errs() << (failed(excess)
                         ? "  no plan fits"
                         : "  the program takes " + std::to_string(*excess) + " bytes too much")
                 << ": planning within " << next << "\n";
  };
  if (!planInRounds(options.distribution.memory, options.devices > 1 ? &options.meshes : nullptr,
                    compiler, plan, report))
    return false;
  module = std::move(trial);
  return true;
}

}  // namespace

std::optional<int> Lower(OwningOpRef<ModuleOp>& module, CompileOptions& options,
                         const Target& target, CompilerContext& compiler, Progress& progress) {
  const bool isFree = options.distribution.isAutomatic && options.lowering.memoryLimit;
  options.distribution.memory = options.lowering.memoryLimit.value_or(0);
  std::optional<int> code;
  if (isFree && lowerInRounds(module, options, target, compiler, progress, code)) return code;
  return lowerOnce(module, options, options.lowering, target, compiler.codes, progress);
}

}  // namespace ashlar
