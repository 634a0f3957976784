// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar plan: what lies where on a mesh, what ranks say to each other, what memory and a step
// take; before anything runs, and without weights.

#include "tools/ashlar/compile/plan.h"

#include "codegen/CPU/CpuTarget.h"
#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Plan/PlanFile.h"
#include "compiler/Distribution/Propagate.h"
#include "compiler/Pipelines/Artifact.h"
#include "compiler/Pipelines/LowerToProgram.h"
#include "compiler/Transforms/Passes.h"
#include "dialects/Dist/Dist.h"
#include "dialects/Program/Program.h"
#include "llvm/Support/Format.h"
#include "mlir/Pass/PassManager.h"
#include "runtime/base/file.h"
#include "runtime/device/cpu/cpu_cores.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/compile/mesh_options.h"
#include "tools/ashlar/compile/parse.h"
#include "tools/ashlar/compile/planning_rounds.h"
#include "tools/ashlar/options.h"

using namespace mlir;

namespace ashlar {

namespace {

double mebibytes(double bytes) { return bytes / (1 << 20); }

void sayPlanned(const distribution::AutoPlan& plan) {
  llvm::outs() << llvm::format(
      "planned: %.1f us for a run of each entry point, no plan takes less than %.1f us\n",
      plan.seconds * 1e6, plan.lowerBound * 1e6);
}

/// Finds the mesh of so many devices, and plans for it; keeps what it has found of all meshes.
LogicalResult chooseMesh(ModuleOp module, PlanOptions& options,
                         const distribution::AutoPlanOptions& room) {
  if (options.meshes.empty())
    options.meshes = distribution::getMeshes(options.devices, room.memory);
  auto choices = distribution::searchMesh(
      module, options.meshes,
      {room, options.distribution.topology, options.distribution.microbatches});
  if (failed(choices)) return failure();
  options.meshes = *choices;
  if (!options.says_how) return success();
  for (const distribution::MeshChoice& each : *choices) llvm::outs() << toString(each) << "\n";
  sayPlanned(choices->front().plan);
  return success();
}

/// Gives the module its shardings, by the solver or along the pins, and writes them down.
LogicalResult annotate(ModuleOp module, PlanOptions& options, Planned& planned) {
  DistributionOptions ranks = options.distribution;
  distribution::AutoPlanOptions room;
  room.memory = ranks.memory;
  room.workLimit = options.work_limit;
  const bool follows_conventions = ranks.plan.empty() && !ranks.isAutomatic;
  PassManager pins(module.getContext());
  pins.addNestedPass<func::FuncOp>(createNameValuesPass());
  if (options.devices == 0)
    pins.addPass(createPinShardingPass({ranks.plan, ranks.planText, ranks.mesh, ranks.topology,
                                        ranks.microbatches, ranks.chunks, follows_conventions}));
  if (failed(pins.run(module))) return failure();
  if (options.devices > 0) {
    if (failed(chooseMesh(module, options, room))) return failure();
  } else if (ranks.isAutomatic) {
    auto chosen = distribution::planSharding(module, room);
    if (failed(chosen)) return failure();
    if (options.says_how) sayPlanned(*chosen);
  }
  if (!ranks.plan.empty())
    ranks.topology = llvm::cantFail(distribution::parsePlan(ranks.planText)).topology;
  distribution::Shardings shardings(module);
  distribution::propagate(shardings);
  shardings.write();
  planned.text = distribution::writePlan(shardings, ranks.topology);
  planned.explained = distribution::writePlan(
      shardings, ranks.topology,
      distribution::PlanReasons{follows_conventions ? "by convention" : "pinned",
                                ranks.isAutomatic ? "chosen" : "nothing cuts it"});
  return success();
}

/// Lowers one rank's graph, and says what it takes; the bytes over the limit.
FailureOr<int64_t> lower(ModuleOp module, const PlanOptions& options, bool overlaps,
                         Planned& planned) {
  PassManager overlap(module.getContext()), fusion(module.getContext());
  if (overlaps) addOverlapPipeline(overlap, /*report=*/false);
  if (failed(overlap.run(module))) return failure();
  planned.entries = distribution::reportEntries(module);
  planned.steps = distribution::reportSteps(module);
  addFusionPipeline(fusion);
  cpu::CpuTarget target({});
  LoweringOptions lowering;
  lowering.threads = options.threads;
  if (failed(fusion.run(module)) || failed(lowerToProgram(module, target, lowering)))
    return failure();
  if (options.memory > 0) lowering.memoryLimit = options.memory;
  return getExcess(module, lowering);
}

/// `excess`: by how many bytes it is over the limit, which is then no error yet; of the first of
/// several rounds nothing else is asked then.
FailureOr<Planned> planOnce(PlanOptions& options, CompilerContext& compiler, int64_t* excess,
                            bool is_first) {
  MLIRContext& context = compiler.context;
  compiler.codes.enter(ErrorCode::kBadModel);
  OwningOpRef<ModuleOp> module = importHuggingFace(context, options.import);
  if (!module) return failure();
  compiler.codes.enter(ErrorCode::kBadPlan);
  Planned planned;
  if (failed(annotate(*module, options, planned))) return failure();
  PassManager partition(&context);
  addPartitionPipeline(partition, /*report=*/false);
  if (failed(partition.run(*module))) return failure();
  compiler.codes.enter(ErrorCode::kInternal);
  // What has come early takes memory for longer: where a first plan, made without knowing its
  // program, is too large without that, there is no need to look.
  FailureOr<int64_t> over = 0;
  if (is_first && options.memory > 0) {
    OwningOpRef<ModuleOp> late = module->clone();
    over = lower(*late, options, /*overlaps=*/false, planned);
    if (failed(over)) return failure();
    if (*over > 0) {
      *excess = *over;
      return planned;
    }
  }
  OwningOpRef<ModuleOp> early = module->clone();
  over = lower(*early, options, /*overlaps=*/true, planned);
  if (succeeded(over) && *over == 0) {
    module = std::move(early);
  } else if (succeeded(over)) {
    if (options.says_how)
      llvm::errs() << "collectives that start early take " << *over
                   << " bytes more than there are: none does\n";
    over = lower(*module, options, /*overlaps=*/false, planned);
  }
  if (failed(over)) return failure();
  if (excess) {
    *excess = *over;
  } else {
    LoweringOptions limits;
    limits.threads = options.threads;
    if (options.memory > 0) limits.memoryLimit = options.memory;
    if (failed(checkMemoryLimit(*module, limits))) return failure();
  }
  planned.memory = getMemoryReport(*module);
  planned.program =
      buildArtifact(*module, {}, [](StringRef, fb::DType kernels) { return kernels; }).program;
  return planned;
}

}  // namespace

FailureOr<Planned> MakePlan(PlanOptions options, CompilerContext& compiler) {
  compiler.context.loadDialect<dist::DistDialect, program::ProgramDialect>();
  FailureOr<Planned> planned = failure();
  auto plan = [&](int64_t room, bool is_first) -> FailureOr<int64_t> {
    options.distribution.memory = room;
    int64_t excess = 0;
    planned = planOnce(options, compiler, &excess, is_first);
    if (failed(planned)) return failure();
    return excess;
  };
  auto report = [&](FailureOr<int64_t> excess, int64_t next) {
    if (!options.says_how) return;
    auto bytes = [](int64_t count) { return mebibytes(static_cast<double>(count)); };
    if (failed(excess))
      llvm::errs() << "no plan fits";
    else
      llvm::errs() << llvm::format("the program takes %.2f MiB too much", bytes(*excess));
    llvm::errs() << llvm::format(": planning within %.2f MiB\n", bytes(next));
  };
  if (options.distribution.isAutomatic &&
      planInRounds(options.memory, options.devices > 0 ? &options.meshes : nullptr, compiler, plan,
                   report))
    return planned;
  options.distribution.memory = options.memory;
  return planOnce(options, compiler, nullptr, /*is_first=*/false);
}

namespace {

void print(const Planned& planned) {
  llvm::outs() << planned.explained << "\ncollectives, at the bounds of dimensions\n";
  for (const distribution::EntryReport& entry : planned.entries)
    for (const distribution::CollectiveLine& line : entry.collectives)
      llvm::outs() << llvm::format("  %-8s %4lld x %-15s over [%s] %9.3f MiB %9.1f us  %s\n",
                                   entry.name.c_str(), static_cast<long long>(line.count),
                                   line.op.c_str(), line.axes.c_str(), mebibytes(line.bytes),
                                   line.seconds * 1e6, line.path.c_str());
  const MemoryReport& memory = planned.memory;
  llvm::outs() << llvm::format(
      "memory of a device: weights %.2f MiB, state %.2f MiB, arena %.2f MiB (least %.2f), scratch "
      "%.2f MiB a thread\n",
      mebibytes(static_cast<double>(memory.weights + memory.constants)),
      mebibytes(static_cast<double>(memory.state)), mebibytes(static_cast<double>(memory.arena)),
      mebibytes(static_cast<double>(memory.arenaLowerBound)),
      mebibytes(static_cast<double>(memory.scratch)));
  if (memory.joinedOutputs > 0)
    llvm::outs() << llvm::format("  and %.2f MiB for the outputs of microbatches\n",
                                 mebibytes(static_cast<double>(memory.joinedOutputs)));
  for (const distribution::EntryReport& entry : planned.entries) {
    llvm::outs() << llvm::format("%s: %.1f us a step, %.1f of computing and %.1f of collectives",
                                 entry.name.c_str(), entry.seconds * 1e6,
                                 entry.computeSeconds * 1e6, entry.collectiveSeconds * 1e6);
    if (double hidden = entry.getHiddenSeconds() * 1e6; hidden > 0.05)
      llvm::outs() << llvm::format(", %.1f of them at the same time", hidden);
    llvm::outs() << "\n";
  }
  for (const distribution::StepReport& step : planned.steps)
    if (step.stages > 1)
      llvm::outs() << llvm::format(
          "%s: %.1f us a step of %lld stages, in %lld %s\n", step.entry.c_str(), step.seconds * 1e6,
          static_cast<long long>(step.stages), static_cast<long long>(step.microbatches),
          step.microbatches == 1 ? "microbatch" : "microbatches");
}

/// Two plans side by side, and the lines that only one of them has.
void printComparison(const Planned& a, const Planned& b) {
  auto row = [](StringRef what, double first, double second, StringRef unit) {
    llvm::outs() << llvm::format("%-22s %12.2f %12.2f %s\n", what.str().c_str(), first, second,
                                 unit.str().c_str());
  };
  for (const auto& [step, other] : llvm::zip(a.steps, b.steps)) {
    row(step.entry, step.seconds * 1e6, other.seconds * 1e6, "us a step");
    row("  collectives", step.collectiveSeconds * 1e6, other.collectiveSeconds * 1e6, "us");
  }
  auto bytes = [](int64_t count) { return mebibytes(static_cast<double>(count)); };
  row("weights", bytes(a.memory.weights), bytes(b.memory.weights), "MiB");
  row("state", bytes(a.memory.state), bytes(b.memory.state), "MiB");
  row("arena", bytes(a.memory.arena), bytes(b.memory.arena), "MiB");
  auto lines = [](const Planned& planned) {
    llvm::SmallVector<StringRef> all;
    StringRef(planned.text).split(all, '\n', -1, /*KeepEmpty=*/false);
    return all;
  };
  for (StringRef line : lines(a))
    if (!llvm::is_contained(lines(b), line)) llvm::outs() << "- " << line << "\n";
  for (StringRef line : lines(b))
    if (!llvm::is_contained(lines(a), line)) llvm::outs() << "+ " << line << "\n";
}

}  // namespace

int PlanMain(const Arguments& args) {
  PlanOptions options;
  DistributionOptions& ranks = options.distribution;
  std::string batch = "1", seq, dtype = "auto", cacheType = "auto", memory, compared, output, page;
  int64_t context = 0, threads = 0;
  Options parser(
      "plan",
      "Plans a model for several devices and says what it takes, from its config.json alone.",
      "examples:\n"
      "  ashlar plan ./Llama-3.2-1B --mesh dp=2,tp=4 --topology nvlink\n"
      "  ashlar plan ./Llama-3.2-1B --devices 8 --auto --topology nvlink --memory 8GiB -o "
      "plan.txt\n"
      "  ashlar plan ./Llama-3.2-1B --plan plan.txt --compare mine.txt\n");
  parser.Positional("DIR", "a Hugging Face directory; weights are not read",
                    &options.import.directory);
  addMeshOptions(parser, ranks, options.devices);
  parser.Add("--compare", "FILE", "a second plan, beside the first", &compared);
  parser.Add("--memory", "BYTES", "what a device has, e.g. 80GiB: an error where nothing fits",
             &memory);
  parser.Add("-o", "FILE", "write the plan, for --plan", &output);
  parser.AddThreads(&threads, "threads of a rank, which each have scratch (default: one per core)");
  parser.Add("--html", "FILE", "write timeline, memory and shardings as a page", &page);
  parser.Add("--batch", "MIN..MAX", "sequences at once (default: 1)", &batch);
  parser.Add("--seq", "MIN..MAX", "tokens per sequence", &seq);
  parser.Add("--context", "N", "positions of a decoder's cache", &context);
  parser.Add("--dtype", "auto|f32|bf16", "element type of weights", &dtype);
  parser.Add("--cache-type", "auto|f32|bf16|f16", "element type of a decoder's caches", &cacheType);
  if (std::optional<int> code = parser.Parse(args)) return *code;
  if (std::string wrong = checkMeshOptions(ranks, options.devices); !wrong.empty())
    return parser.UsageError(wrong);
  if (!ranks.isDistributed() && options.devices == 0)
    return parser.UsageError("one of --mesh, --plan and --devices says what the mesh is");
  std::string error;
  auto batchBounds = parseBounds("--batch", batch, error);
  auto seqBounds = seq.empty() ? std::optional<DimBounds>() : parseBounds("--seq", seq, error);
  auto weights = parseWeightType(dtype, error);
  auto cache = parseCacheElement(cacheType, error);
  if (!memory.empty()) options.memory = parseBytes("--memory", memory, error).value_or(0);
  if (!error.empty()) return parser.UsageError(error);
  if (!memory.empty() && options.memory < 1)
    return parser.UsageError("--memory: expected more than " + memory);
  options.threads = threads > 0 ? threads : AvailableCores();
  options.import.batch = *batchBounds;
  options.import.seq = seqBounds;
  if (context > 0) options.import.context = context;
  options.import.weights = *weights;
  options.import.cache = *cache;
  options.import.randomWeights = true;

  if (absl::Status status = readPlan(ranks); !status.ok()) return Fail(status);
  CompilerContext compiler;
  auto planned = MakePlan(options, compiler);
  if (failed(planned)) {
    if (compiler.codes.getLast() == ErrorCode::kOverMemory) PrintRemedies(options);
    return kFailed;
  }
  if (!compared.empty()) {
    PlanOptions other = options;
    other.devices = 0;
    other.distribution.mesh.clear();
    other.distribution.plan = compared;
    other.distribution.isAutomatic = false;
    if (absl::Status status = readPlan(other.distribution); !status.ok()) return Fail(status);
    other.distribution.microbatches = other.distribution.chunks = 0;
    auto second = MakePlan(other, compiler);
    if (failed(second)) return kFailed;
    printComparison(*planned, *second);
  } else {
    print(*planned);
  }
  for (const auto& [path, text] :
       {std::pair(output, planned->text), {page, PlanPage(*planned, options)}})
    if (!path.empty())
      if (absl::Status status = WriteFile(path, text); !status.ok()) return Fail(status);
  return kOk;
}

}  // namespace ashlar
