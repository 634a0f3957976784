// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// ashlar compile: a Hugging Face directory in, an artifact out.

#include "codegen/CPU/CpuTarget.h"
#include "compiler/Pipelines/Artifact.h"
#include "compiler/Pipelines/MemoryReport.h"
#include "dialects/Program/Program.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "runtime/base/file.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/device/cpu/cpu_cores.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/memory/weight_packer.h"
#include "runtime/program/artifact_writer.h"
#include "tools/ashlar/command.h"
#include "tools/ashlar/compile/import_properties.h"
#include "tools/ashlar/compile/lower.h"
#include "tools/ashlar/compile/mesh_options.h"
#include "tools/ashlar/compile/parse.h"
#include "tools/ashlar/options.h"

using namespace mlir;

namespace ashlar {

namespace {

constexpr char kExamples[] =
    "  ashlar compile ./bert-base-uncased -o bert.ashlar --batch 1..8 --seq 1..512\n"
    "  ashlar compile ./Llama-3.2-1B -o llama.ashlar --context 4096 --dtype bf16 --embed-weights\n"
    "  ashlar compile ./dir-with-a-config -o random.ashlar --random-weights 1\n"
    "  ashlar compile ./gpt2 -o gpt2.ashlar --target cuda --cuda-arch sm_80,sm_90a,emulator\n";

/// The checkpoint's part of the artifact: where it lies, how its tensors are stored, its headers'
/// hash.
absl::Status describeWeights(const CompileOptions& options, const Checkpoint* checkpoint,
                             fb::ProgramT& program) {
  llvm::SmallString<256> directory(options.import.directory);
  if (std::error_code error = llvm::sys::fs::make_absolute(directory))
    return absl::InternalError("cannot make the directory absolute: " + error.message());
  llvm::sys::path::remove_dots(directory, true);
  program.weight_directory = directory.str().str();
  program.weight_source = options.embedWeights ? fb::WeightSource::Embedded
                          : options.seed       ? fb::WeightSource::Random
                                               : fb::WeightSource::Checkpoint;
  program.random_seed = options.seed.value_or(0);
  program.checkpoint_hash = checkpoint ? checkpoint->HeaderHash() : 0;
  return absl::OkStatus();
}

absl::Status writeArtifact(const CompileOptions& options, ArtifactContents& contents,
                           const Checkpoint* checkpoint, std::shared_ptr<const Checkpoint> shared) {
  WeightsStream stream;
  std::unique_ptr<TensorSource> source;
  std::unique_ptr<ThreadPool> pool;
  if (options.embedWeights) {
    source = checkpoint ? CheckpointSource(shared) : RandomSource(*options.seed);
    pool = std::make_unique<ThreadPool>(static_cast<int>(options.lowering.threads));
    stream = [&](const ByteSink& sink) {
      return PackWeights(contents.program, *source, *pool, sink);
    };
  }
  return WriteArtifact(options.output, contents.program, contents.code, contents.constants, stream);
}

void printSummary(ModuleOp module, const CompileOptions& options) {
  MemoryReport report = getMemoryReport(module);
  auto mebibytes = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  size_t kernels = llvm::range_size(module.getOps<program::KernelOp>());
  llvm::outs() << options.output << ": " << kernels << " kernels";
  for (auto entry : module.getOps<program::EntryOp>())
    llvm::outs() << ", " << entry.getSymName() << " "
                 << llvm::range_size(entry.getBody().front().getOps<program::LaunchOp>())
                 << " launches";
  double gap = report.arenaLowerBound
                   ? 100.0 * static_cast<double>(report.arena - report.arenaLowerBound) /
                         static_cast<double>(report.arenaLowerBound)
                   : 0.0;
  llvm::outs() << llvm::format(
      "\nmemory: weights %.1f MiB, arena %.2f MiB (lower bound %.2f MiB, gap %.1f %%), state "
      "%.2f MiB, scratch %.2f MiB a thread\n",
      mebibytes(report.weights + report.constants), mebibytes(report.arena),
      mebibytes(report.arenaLowerBound), gap, mebibytes(report.state), mebibytes(report.scratch));
}

/// Prints what the code is made of: device code's text, or a CPU's assembly.
LogicalResult printCode(const Target& target, const CompileOptions& options, ModuleOp module) {
  auto kernels = getKernelBodies(module);
  if (auto* cuda = dynamic_cast<const cuda::CudaTarget*>(&target))
    return cuda->printText(kernels, options.archs.front(), llvm::outs());
  return static_cast<const cpu::CpuTarget&>(target).printAssembly(kernels, llvm::outs());
}

int compile(CompileOptions options, const Target& target) {
  Progress progress;
  CompilerContext compiler;
  MLIRContext& context = compiler.context;
  if (options.emit.empty())  // an output that cannot be written is found before the work is done
    if (auto writer = AtomicFileWriter::Create(options.output); !writer.ok())
      return Fail(writer.status());
  progress("import");
  OwningOpRef<ModuleOp> module = importHuggingFace(context, options.import);
  if (!module) return kFailed;
  context.loadDialect<program::ProgramDialect>();
  std::shared_ptr<const Checkpoint> checkpoint;
  if (!options.seed) {
    auto opened = Checkpoint::Open(options.import.directory);
    if (!opened.ok()) return Fail(opened.status());
    checkpoint = *std::move(opened);
  }
  if (options.emit == "graph") return module->print(llvm::outs()), kOk;
  if (std::optional<int> code = Lower(module, options, target, compiler, progress)) return *code;
  if (options.emit == "program") return module->print(llvm::outs()), kOk;
  if (options.emit == "assembly" || options.emit == "cuda")
    return failed(printCode(target, options, *module)) ? kFailed : kOk;
  progress("generate code");
  compiler.codes.enter(ErrorCode::kNoCode);
  auto images = target.compile(getKernelBodies(*module));
  if (failed(images)) return kFailed;
  progress(options.embedWeights ? "pack and write" : "write");
  ArtifactContents contents =
      buildArtifact(*module, *images, [&](StringRef tensor, fb::DType otherwise) {
        const TensorInfo* info = checkpoint ? checkpoint->Find(tensor.str()) : nullptr;
        return info ? static_cast<fb::DType>(info->dtype) : otherwise;
      });
  contents.program.producer = "ashlar " ASHLAR_VERSION;
  addModelProperties(options.import.directory, contents.program);
  addImportProperties(options.import, contents.program);
  absl::Status status = describeWeights(options, checkpoint.get(), contents.program);
  if (status.ok()) status = writeArtifact(options, contents, checkpoint.get(), checkpoint);
  if (!status.ok()) return Fail(status);
  progress("");
  printSummary(*module, options);
  return kOk;
}

}  // namespace

int CompileMain(const Arguments& args) {
  CompileOptions options;
  std::string batch = "1", seq, dtype = "auto", cacheType = "auto", cpus = "native", memoryLimit,
              seed;
  std::string targetName = "cpu", archs = "sm_80,sm_90a", products = "auto";
  int64_t context = 0, threads = 0;
  Options parser(
      "compile",
      "Compiles a Hugging Face directory (config.json, model.safetensors) to an artifact.",
      kExamples);
  parser.Positional("DIR", "the directory", &options.import.directory);
  parser.Add("-o", "X.ashlar", "the artifact to write", &options.output);
  parser.Add("--batch", "MIN..MAX", "sequences at once: bounds, or one number (default: 1)",
             &batch);
  parser.Add("--seq", "MIN..MAX",
             "tokens per sequence (default: 1 to the model's positions, at most 512)", &seq);
  parser.Add("--context", "N", "positions of a decoder's cache (default: the most of --seq)",
             &context);
  parser.Add("--head", "NAME", "the model's head in place of what config.json says",
             &options.import.head);
  parser.Add("--model-type", "NAME", "in place of config.json's model_type",
             &options.import.modelType);
  parser.Add("--ignore-field", "NAME",
             "a field of config.json to ignore although it is not known (repeat for several)",
             &options.import.ignoredFields);
  parser.Add("--dtype", "auto|f32|bf16",
             "element type of weights (default: auto, the checkpoint's)", &dtype);
  parser.Add("--cache-type", "auto|f32|bf16|f16",
             "element type of a decoder's caches (default: auto, bf16 where matrices are read\n"
             "as bf16, f32 otherwise)",
             &cacheType);
  parser.Add(
      "--cpu", "NAME,...",
      "machines: native, x86-64-v3, x86-64-v4, sapphirerapids, znver5, ... (default: native)",
      &cpus);
  parser.Add("--target", "cpu|cuda", "what the code is made for (default: cpu)", &targetName);
  parser.Add("--cuda-arch", "ARCH,...",
             "GPUs, with --target cuda: sm_80, sm_90a, ...; emulator, emulator_90a: host code\n"
             "that `ashlar run --device cuda-emulator` checks (default: sm_80,sm_90a)",
             &archs);
  parser.Add(
      "--tf32",
      "with --target cuda, multiply f32 weights on the tensor cores: operands are rounded to\n"
      "ten bits behind the point (tf32), sums are f32",
      &options.cuda.usesTf32);
  parser.Add(
      "--cuda-products", "auto|library|kernels",
      "with --target cuda, what multiplies matrices with weights where nothing but what\n"
      "cuBLASLt does is fused into the product: cuBLASLt, where the machine that runs it has\n"
      "it, or the program's own kernels; auto: cuBLASLt where by the cost model the device\n"
      "computes longer than it waits for memory (`ashlar tune` measures instead)",
      &products);
  addMeshOptions(parser, options.distribution, options.devices);
  parser.Add("--remarks", "say which collectives there are, what for, and what they take",
             &options.distribution.report);
  parser.Add("--embed-weights", "store the weights in the artifact, as kernels read them",
             &options.embedWeights);
  parser.Add("--random-weights", "SEED", "make up the weights; the directory needs no checkpoint",
             &seed);
  parser.Add("--memory-limit", "BYTES", "an error when the program takes more, e.g. 4GiB",
             &memoryLimit);
  parser.AddThreads(&threads,
                    "workers whose scratch counts, and that pack weights (default: one per core)");
  parser.Add("--machine", "FILE",
             "what the cost model knows of the machine, as `ashlar machine -o FILE` writes it\n"
             "(default: an ordinary core, so that a result does not depend on where it is made)",
             &options.machineFile);
  parser.Add("--emit", "graph|partitioned|fused|program|assembly|cuda",
             "print that stage instead of writing an artifact", &options.emit);
  if (std::optional<int> code = parser.Parse(args)) return *code;
  if (options.output.empty() && options.emit.empty())
    return parser.UsageError("-o X.ashlar is missing");
  static constexpr StringRef stages[] = {"graph",   "partitioned", "fused",
                                         "program", "assembly",    "cuda"};
  if (!options.emit.empty() && !llvm::is_contained(stages, options.emit))
    return parser.UsageError(
        "--emit takes graph, partitioned, fused, program, assembly or cuda, found '" +
        options.emit + "'");
  if (targetName != "cpu" && targetName != "cuda")
    return parser.UsageError("--target takes cpu or cuda, found '" + targetName + "'");
  options.isCuda = targetName == "cuda";
  if (options.emit == (options.isCuda ? "assembly" : "cuda"))
    return parser.UsageError("--emit " + options.emit + " is of --target " +
                             (options.isCuda ? "cpu" : "cuda"));
  if (options.cuda.usesTf32 && !options.isCuda)
    return parser.UsageError("--tf32 is of --target cuda; a CPU multiplies f32 as it is");
  if (products != "auto" && !options.isCuda)
    return parser.UsageError("--cuda-products is of --target cuda");
  const DistributionOptions& ranks = options.distribution;
  if (std::string wrong = checkMeshOptions(ranks, options.devices); !wrong.empty())
    return parser.UsageError(wrong);
  if ((ranks.isDistributed() || options.devices > 1) && options.embedWeights)
    return parser.UsageError(
        "--embed-weights stores one rank's weights; several read the checkpoint");
  std::string error;
  auto batchBounds = parseBounds("--batch", batch, error);
  auto seqBounds = seq.empty() ? std::optional<DimBounds>() : parseBounds("--seq", seq, error);
  auto weights = parseWeightType(dtype, error);
  auto cache = parseCacheElement(cacheType, error);
  options.models = parseCpuModels(cpus, error);
  options.archs = parseCudaArchs(archs, error);
  options.cuda.products = parseLibraryUse(products, error);
  options.cuda.device = &cuda::getDevice(options.archs);
  auto limit = memoryLimit.empty() ? std::optional<int64_t>()
                                   : parseBytes("--memory-limit", memoryLimit, error);
  auto seedValue = seed.empty() ? std::optional<int64_t>() : ParseInteger(seed);
  if (!seed.empty() && !seedValue)
    error = "--random-weights takes an integer, found '" + seed + "'";
  if (!error.empty()) return parser.UsageError(error);
  if (limit && *limit < 1)
    return parser.UsageError("--memory-limit: expected more than " + memoryLimit);
  options.import.batch = *batchBounds;
  options.import.seq = seqBounds;
  if (context > 0) options.import.context = context;
  options.import.weights = *weights;
  options.import.cache = *cache;
  if (seedValue) {
    options.seed = *seedValue;
    options.import.randomWeights = true;
  }
  options.lowering.memoryLimit = limit;
  options.lowering.threads = threads > 0 ? threads : AvailableCores();
  if (absl::Status status = readPlan(options.distribution); !status.ok()) return Fail(status);
  if (!options.isCuda) return compile(options, cpu::CpuTarget(options.models));
  // Where a stage is printed nothing is compiled.
  auto target =
      cuda::CudaTarget::create(options.emit.empty() ? options.archs : std::vector<std::string>(),
                               static_cast<unsigned>(options.lowering.threads), options.cuda);
  return target.ok() ? compile(options, **target) : Fail(target.status());
}

}  // namespace ashlar
