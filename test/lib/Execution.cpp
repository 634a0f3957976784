// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/lib/Execution.h"

#include "compiler/Pipelines/Artifact.h"
#include "compiler/Pipelines/LowerToProgram.h"
#include "compiler/Pipelines/Pipelines.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Program/Program.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/device/cpu/cpu_features.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/memory/weight_packer.h"
#include "runtime/program/artifact_writer.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"

#include <cmath>

using namespace mlir;

namespace ashlar::test {

using interpreter::Array;
using interpreter::NamedArray;

/// Those of the named models that this machine runs.
static std::vector<cpu::CpuModel> selectRunnable(ArrayRef<StringRef> names) {
  std::vector<cpu::CpuModel> models;
  std::string error;
  for (StringRef name : names) {
    auto model = cpu::findCpuModel(name, error);
    if (model && llvm::all_of(model->features, [](const std::string &feature) {
          return HostFeatures().count(feature) > 0;
        }))
      models.push_back(std::move(*model));
  }
  return models;
}

static Backend toBackend(const cpu::CpuModel &model) {
  return {model.name, "cpu", std::make_shared<cpu::CpuTarget>(std::vector<cpu::CpuModel>{model}),
          model.bf16 != cpu::Bf16Product::Widen};
}

/// The emulator, where kernels can be compiled for it and it can run them.
static void addEmulator(std::vector<Backend> &backends, const std::string &arch = "emulator",
                        const cuda::CudaOptions &options = {}) {
#ifdef ASHLAR_WITH_EMULATOR
  auto target = cuda::CudaTarget::create({arch}, /*threads=*/2, options);
  if (!target.ok()) {
    ADD_FAILURE() << target.status();
    return;
  }
  backends.push_back({"cuda-" + arch, "cuda-emulator", *std::move(target), /*roundsLeft=*/true});
#endif
}

/// The backend of CaseWriter.h, in place of all others; nothing where no cases are exported.
static std::vector<Backend> getExporter(const cuda::CudaOptions &options = {}) {
  std::vector<Backend> backends;
#ifdef ASHLAR_WITH_EMULATOR
  std::vector<std::string> archs = CaseWriter::getArchs();
  if (archs.empty())
    return backends;
  if (!llvm::is_contained(archs, "emulator_90a"))
    archs.insert(archs.begin(), "emulator_90a");
  auto target = cuda::CudaTarget::create(archs, /*threads=*/2, options);
  if (!target.ok())
    ADD_FAILURE() << target.status();
  else
    backends.push_back({"cuda-emulator_90a", "cuda-emulator", *std::move(target), true});
#endif
  return backends;
}

std::vector<Backend> getEmulators(const cuda::CudaOptions &options) {
  std::vector<Backend> backends = getExporter(options);
  if (!backends.empty())
    return backends;
  addEmulator(backends, "emulator", options);
  addEmulator(backends, "emulator_90a", options);
  return backends;
}

std::vector<Backend> getCpuBackends() {
  std::vector<Backend> backends;
  for (const cpu::CpuModel &model : selectRunnable({cpu::kLeastCpus[0], cpu::kLeastCpus[1]}))
    backends.push_back(toBackend(model));
  return backends;
}

std::vector<Backend> getRoundingBackends() {
  std::vector<Backend> backends = getExporter();
  if (!backends.empty())
    return backends;
  for (const cpu::CpuModel &model :
       selectRunnable({cpu::kEmulatedCpus[0], cpu::kEmulatedCpus[1], "native"}))
    if (model.bf16 != cpu::Bf16Product::Widen)
      backends.push_back(toBackend(model));
  addEmulator(backends);
  return backends;
}

std::vector<Backend> getBackends() {
  if (std::vector<Backend> exporter = getExporter(); !exporter.empty())
    return exporter;
  std::vector<Backend> backends = getCpuBackends();
  addEmulator(backends);
  return backends;
}

double getTolerance(int64_t length) {
  return 8 * 6e-8 * std::sqrt(static_cast<double>(std::max<int64_t>(length, 16)));
}

double widenTolerance(double tolerance, const Backend &backend, ModuleOp module) {
  bool isRounded = false;
  module.walk([&](graph::MatmulOp product) {
    Type weight = cast<RankedTensorType>(product.getB().getType()).getElementType();
    isRounded |= weight.isBF16() || weight.isF16();
  });
  return backend.roundsLeft && isRounded ? std::max(tolerance, 0x1p-7) : tolerance;
}

/// Compiles and writes the artifact; says what failed.
static std::string compileTo(StringRef path, ModuleOp module, const Target &target,
                             const ParameterSource &source) {
  module.getContext()->loadDialect<program::ProgramDialect>();
  PassManager manager(module.getContext());
  addFusionPipeline(manager);
  addTargetPipeline(manager, target);
  if (failed(manager.run(module)))
    return "fusion failed";
  if (failed(lowerToProgram(module, target, {})))
    return "lowering failed";
  auto images = target.compile(getKernelBodies(module));
  if (failed(images))
    return "code generation failed";
  std::shared_ptr<const Checkpoint> checkpoint;
  if (!source.directory.empty()) {
    auto opened = Checkpoint::Open(source.directory);
    if (!opened.ok())
      return opened.status().ToString();
    checkpoint = *opened;
  }
  auto write = [&](const std::string &to, const std::vector<CodeImage> &code, bool embed) {
    ArtifactContents contents =
        buildArtifact(module, code, [&](StringRef tensor, fb::DType otherwise) {
          const TensorInfo *info = checkpoint ? checkpoint->Find(tensor.str()) : nullptr;
          return info ? static_cast<fb::DType>(info->dtype) : otherwise;
        });
    contents.program.weight_source = !checkpoint ? fb::WeightSource::Random
                                     : embed     ? fb::WeightSource::Embedded
                                                 : fb::WeightSource::Checkpoint;
    contents.program.weight_directory = source.directory;
    contents.program.random_seed = source.seed;
    contents.program.checkpoint_hash = checkpoint ? checkpoint->HeaderHash() : 0;
    WeightsStream stream;
    if (checkpoint && embed)
      stream = [&](const ByteSink &sink) {
        ThreadPool pool(1);
        return PackWeights(contents.program, *CheckpointSource(checkpoint), pool, sink);
      };
    return WriteArtifact(to, contents.program, contents.code, contents.constants, stream);
  };
  absl::Status written = write(path.str(), *images, /*embed=*/false);
  std::vector<std::string> archs = CaseWriter::getArchs();
  if (written.ok() &&
      !archs.empty()) { // a case takes its weights along, and the code that is asked for
    std::vector<CodeImage> kept;
    llvm::copy_if(*images, std::back_inserter(kept),
                  [&](const CodeImage &image) { return llvm::is_contained(archs, image.cpu); });
    written = write(CaseWriter::getArtifact(path), kept, /*embed=*/true);
  }
  return written.ok() ? "" : written.ToString();
}

std::unique_ptr<CompiledModule> CompiledModule::create(ModuleOp module, const Backend &backend,
                                                       const ParameterSource &source, int threads) {
  auto compiled = std::make_unique<CompiledModule>();
  compiled->context = module.getContext();
  llvm::SmallString<128> path;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("ashlar-test", "ashlar", path)) {
    ADD_FAILURE() << error.message();
    return nullptr;
  }
  compiled->path = path.str().str();
  OwningOpRef<ModuleOp> copy = module.clone();
  std::string error = compileTo(path, *copy, *backend.target, source);
  if (!error.empty()) {
    ADD_FAILURE() << backend.name << ": " << error;
    return nullptr;
  }
  compiled->writer = CaseWriter::create(compiled->path, widenTolerance(0, backend, module) > 0);
  auto program = Program::Load(compiled->path);
  if (!program.ok()) {
    ADD_FAILURE() << program.status();
    return nullptr;
  }
  SessionOptions options;
  options.threads = threads;
  BindOptions bind;
  bind.device = backend.device;
  auto session = Session::Create(*program, options, bind);
  if (!session.ok()) {
    ADD_FAILURE() << session.status();
    return nullptr;
  }
  compiled->session = *std::move(session);
  return compiled;
}

CompiledModule::~CompiledModule() {
  if (!path.empty())
    llvm::sys::fs::remove(path);
}

/// An array's bytes as the session takes them: i64 integers, f32 floats.
static std::vector<char> toBytes(const Array &array, DType &dtype) {
  std::vector<char> bytes;
  auto append = [&](auto value) {
    const char *raw = reinterpret_cast<const char *>(&value);
    bytes.insert(bytes.end(), raw, raw + sizeof(value));
  };
  dtype = array.isFloat()                   ? DType::kF32
          : array.elementType.isInteger(1)  ? DType::kBool
          : array.elementType.isInteger(32) ? DType::kI32
                                            : DType::kI64;
  for (int64_t i = 0; i < array.size(); ++i) {
    if (dtype == DType::kF32)
      append(static_cast<float>(array.floats[i]));
    else if (dtype == DType::kBool)
      append(static_cast<uint8_t>(array.integers[i]));
    else if (dtype == DType::kI32)
      append(static_cast<int32_t>(array.integers[i]));
    else
      append(array.integers[i]);
  }
  return bytes;
}

static Array toArray(MLIRContext *context, const Tensor &tensor) {
  Builder b(context);
  switch (tensor.dtype) {
  case DType::kF32: {
    Array array(b.getF32Type(), tensor.shape);
    std::copy_n(tensor.as<float>(), array.size(), array.floats.begin());
    return array;
  }
  case DType::kBF16: {
    Array array(b.getBF16Type(), tensor.shape);
    for (int64_t i = 0; i < array.size(); ++i)
      array.floats[i] = BF16ToF32(tensor.as<uint16_t>()[i]);
    return array;
  }
  case DType::kBool: {
    Array array(b.getI1Type(), tensor.shape);
    std::copy_n(tensor.as<uint8_t>(), array.size(), array.integers.begin());
    return array;
  }
  case DType::kI32: {
    Array array(b.getI32Type(), tensor.shape);
    std::copy_n(tensor.as<int32_t>(), array.size(), array.integers.begin());
    return array;
  }
  default: {
    EXPECT_EQ(tensor.dtype, DType::kI64) << "a result type that this test does not read";
    Array array(b.getI64Type(), tensor.shape);
    std::copy_n(tensor.as<int64_t>(), array.size(), array.integers.begin());
    return array;
  }
  }
}

std::optional<std::vector<NamedArray>> CompiledModule::run(StringRef entry,
                                                           ArrayRef<NamedArray> inputs) {
  std::vector<std::vector<char>> bytes;
  std::vector<Tensor> tensors, outputs;
  for (const NamedArray &input : inputs) {
    Tensor tensor{input.name, DType::kF32, input.array->shape, nullptr};
    bytes.push_back(toBytes(*input.array, tensor.dtype));
    tensor.data = bytes.back().data();
    tensors.push_back(tensor);
  }
  absl::Status status = session->Run(entry.str(), tensors, &outputs);
  if (!status.ok()) {
    ADD_FAILURE() << status;
    return std::nullopt;
  }
  if (writer)
    writer->addStep(entry, tensors, outputs);
  std::vector<NamedArray> results;
  for (const Tensor &output : outputs)
    results.push_back({output.name, std::make_shared<const Array>(toArray(context, output))});
  return results;
}

//===----------------------------------------------------------------------===//
// Parts of arrays
//===----------------------------------------------------------------------===//

Array take(const Array &array, size_t dim, int64_t from, int64_t count) {
  std::vector<int64_t> shape = array.shape;
  shape[dim] = count;
  Array taken(array.elementType, shape);
  int64_t outer = array.count(0, dim), inner = array.count(dim + 1, array.shape.size());
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < count * inner; ++i)
      taken.copyElement(o * count * inner + i, array, (o * array.shape[dim] + from) * inner + i);
  return taken;
}

std::vector<NamedArray> take(ArrayRef<NamedArray> arrays, size_t dim, int64_t from, int64_t count) {
  std::vector<NamedArray> taken;
  for (const NamedArray &each : arrays)
    taken.push_back(
        {each.name, std::make_shared<const Array>(take(*each.array, dim, from, count))});
  return taken;
}

void expectSameBits(ArrayRef<NamedArray> found, ArrayRef<NamedArray> expected,
                    const std::string &what) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].array->shape, expected[i].array->shape) << found[i].name << ", " << what;
    EXPECT_TRUE(found[i].array->floats == expected[i].array->floats &&
                found[i].array->integers == expected[i].array->integers)
        << found[i].name << ", " << what;
  }
}

} // namespace ashlar::test
