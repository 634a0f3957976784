// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/CudaTarget.h"

#include "codegen/CUDA/KernelCompiler.h"
#include "codegen/CUDA/Kernels.h"
#include "compiler/Diagnostics/ErrorCodes.h"
#include "runtime/base/status.h"
#include "runtime/device/emulator/emulator_abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/ThreadPool.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::StringRef;

namespace ashlar::cuda {

CudaTarget::CudaTarget(unsigned threads, const CudaOptions &options)
    : threads(threads), options(options) {}
CudaTarget::~CudaTarget() = default;

absl::StatusOr<std::unique_ptr<CudaTarget>>
CudaTarget::create(const std::vector<std::string> &archs, unsigned threads,
                   const CudaOptions &options) {
  std::unique_ptr<CudaTarget> target(new CudaTarget(threads, options));
  for (const std::string &arch : archs) {
    auto compiler = KernelCompiler::create(arch, KernelCache::open());
    if (!compiler.ok())
      return Annotate(compiler.status(), "--cuda-arch " + arch);
    target->compilers.push_back(*std::move(compiler));
  }
  if (!target->options.device)
    target->options.device = &getDevice(archs);
  return target;
}

const DevicePeaks &getDevice(ArrayRef<std::string> archs) {
  auto peaks = [](StringRef arch) -> const DevicePeaks & {
    if (isEmulator(arch))
      return getDevicePeaks(getGeneration(arch) == Generation::Hopper ? "sm_90a" : "sm_80");
    return getDevicePeaks(arch);
  };
  const DevicePeaks *device = archs.empty() ? &getDevicePeaks("sm_90a") : &peaks(archs.front());
  for (const std::string &arch : archs)
    if (peaks(arch).half > device->half)
      device = &peaks(arch);
  return *device;
}

// An H100's; an A100 has 108. The same for every architecture: a program has one list of launches.
int64_t CudaTarget::getMultiprocessors() const { return 132; }

static FailureOr<KernelText> write(func::FuncOp kernel, const KernelOptions &options) {
  kernel.getContext()->loadDialect<arith::ArithDialect, math::MathDialect>();
  return writeKernel(kernel, options);
}

FailureOr<KernelDescription> CudaTarget::describe(func::FuncOp kernel) const {
  // Launches may differ between architectures: they come with the code.
  for (Generation generation : {Generation::Ampere, Generation::Hopper})
    if (failed(write(kernel, {generation, options})))
      return failure();
  return KernelDescription();
}

static FailureOr<std::vector<KernelText>> writeAll(ArrayRef<func::FuncOp> kernels,
                                                   const KernelOptions &options) {
  std::vector<KernelText> texts;
  for (func::FuncOp kernel : kernels) {
    auto text = write(kernel, options);
    if (failed(text))
      return failure();
    texts.push_back(std::move(*text));
  }
  return texts;
}

LogicalResult CudaTarget::printText(ArrayRef<func::FuncOp> kernels, const std::string &arch,
                                    llvm::raw_ostream &stream) const {
  auto texts = writeAll(kernels, {getGeneration(arch), options});
  if (failed(texts))
    return failure();
  for (const KernelText &text : *texts)
    stream << text.comment << text.text << "\n";
  return success();
}

static CodeImage makeImage(const std::string &arch, ArrayRef<KernelText> texts,
                           ArrayRef<CompiledKernel> compiled) {
  constexpr uint64_t kAlignment = 64;
  CodeImage image;
  image.cpu = arch;
  image.emulatorAbi = isEmulator(arch) ? emulator::kAbiVersion : 0;
  for (auto [text, code] : llvm::zip_equal(texts, compiled)) {
    DeviceKernel kernel;
    image.code.resize(llvm::alignTo(image.code.size(), kAlignment));
    kernel.offset = image.code.size();
    kernel.size = code.code.size();
    image.code.insert(image.code.end(), code.code.begin(), code.code.end());
    kernel.entry = code.entry;
    kernel.symbol = text.symbol;
    kernel.grid = text.grid;
    kernel.tensorMaps = text.tensorMaps;
    kernel.threads = text.threads;
    kernel.sharedBytes = code.sharedBytes;
    kernel.registers = code.registers;
    kernel.spillBytes = code.spillBytes;
    kernel.product = text.product;
    image.kernels.push_back(std::move(kernel));
  }
  return image;
}

FailureOr<std::vector<CodeImage>> CudaTarget::compile(ArrayRef<func::FuncOp> kernels) const {
  std::vector<CodeImage> images;
  if (kernels.empty())
    return images;
  size_t count = kernels.size();
  std::vector<std::vector<KernelText>> texts; // of each architecture
  for (const auto &compiler : compilers) {
    auto written = writeAll(kernels, {getGeneration(compiler->getArch()), options});
    if (failed(written))
      return failure();
    texts.push_back(std::move(*written));
  }
  std::vector<std::vector<CompiledKernel>> compiled(compilers.size(),
                                                    std::vector<CompiledKernel>(count));
  std::vector<std::vector<absl::Status>> statuses(compilers.size(),
                                                  std::vector<absl::Status>(count));
  llvm::DefaultThreadPool pool(llvm::hardware_concurrency(threads));
  for (size_t c = 0; c < compilers.size(); ++c)
    for (size_t i = 0; i < count; ++i)
      pool.async([&, c, i] {
        auto result = compilers[c]->compile(texts[c][i].text, texts[c][i].symbol);
        statuses[c][i] = result.status();
        if (result.ok())
          compiled[c][i] = *std::move(result);
      });
  pool.wait();
  for (size_t c = 0; c < compilers.size(); ++c) {
    for (size_t i = 0; i < count; ++i)
      if (!statuses[c][i].ok())
        return emitError(func::FuncOp(kernels[i]).getLoc(), CodeOf(statuses[c][i]))
               << texts[c][i].symbol << " for " << compilers[c]->getArch() << ": "
               << std::string(Message(statuses[c][i])) << "\nin\n"
               << texts[c][i].text;
    images.push_back(makeImage(compilers[c]->getArch(), texts[c], compiled[c]));
  }
  return images;
}

} // namespace ashlar::cuda
