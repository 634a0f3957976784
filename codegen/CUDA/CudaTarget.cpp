// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/CudaTarget.h"

#include "codegen/CUDA/KernelCompiler.h"
#include "codegen/CUDA/Kernels.h"
#include "runtime/base/status.h"
#include "runtime/device/emulator/emulator_abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/ThreadPool.h"

using namespace mlir;

namespace ashlar::cuda {

static FailureOr<KernelText> write(func::FuncOp kernel) {
  kernel.getContext()->loadDialect<arith::ArithDialect, math::MathDialect>();
  return writeKernel(kernel);
}

FailureOr<KernelDescription> CudaTarget::describe(func::FuncOp kernel) const {
  // Launches may differ between architectures: they come with the code.
  if (failed(write(kernel)))
    return failure();
  return KernelDescription();
}

static FailureOr<std::vector<KernelText>> writeAll(ArrayRef<func::FuncOp> kernels) {
  std::vector<KernelText> texts;
  for (func::FuncOp kernel : kernels) {
    auto text = write(kernel);
    if (failed(text))
      return failure();
    texts.push_back(std::move(*text));
  }
  return texts;
}

LogicalResult CudaTarget::printText(ArrayRef<func::FuncOp> kernels,
                                    llvm::raw_ostream &stream) const {
  auto texts = writeAll(kernels);
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
  image.emulatorAbi = arch == kEmulatorArch ? emulator::kAbiVersion : 0;
  for (auto [text, code] : llvm::zip_equal(texts, compiled)) {
    DeviceKernel kernel;
    image.code.resize(llvm::alignTo(image.code.size(), kAlignment));
    kernel.offset = image.code.size();
    kernel.size = code.code.size();
    image.code.insert(image.code.end(), code.code.begin(), code.code.end());
    kernel.entry = code.entry;
    kernel.symbol = text.symbol;
    kernel.grid = text.grid;
    kernel.threads = text.threads;
    kernel.sharedBytes = code.sharedBytes;
    kernel.registers = code.registers;
    kernel.spillBytes = code.spillBytes;
    image.kernels.push_back(std::move(kernel));
  }
  return image;
}

FailureOr<std::vector<CodeImage>> CudaTarget::compile(ArrayRef<func::FuncOp> kernels) const {
  std::vector<CodeImage> images;
  if (kernels.empty())
    return images;
  auto texts = writeAll(kernels);
  if (failed(texts))
    return failure();
  for (const std::string &arch : archs) {
    auto compiler = KernelCompiler::create(arch, KernelCache::open());
    if (!compiler.ok())
      return emitError(UnknownLoc::get(func::FuncOp(kernels.front()).getContext()))
             << "--cuda-arch " << arch << ": " << std::string(Message(compiler.status()));
    std::vector<CompiledKernel> compiled(texts->size());
    std::vector<absl::Status> statuses(texts->size());
    llvm::DefaultThreadPool pool(llvm::hardware_concurrency(threads));
    for (size_t i = 0; i < texts->size(); ++i)
      pool.async([&, i] {
        auto result = (*compiler)->compile((*texts)[i].text, (*texts)[i].symbol);
        statuses[i] = result.status();
        if (result.ok())
          compiled[i] = *std::move(result);
      });
    pool.wait();
    for (auto [kernel, status] : llvm::zip_equal(kernels, statuses))
      if (!status.ok())
        return func::FuncOp(kernel).emitError() << "kernel '" << func::FuncOp(kernel).getSymName()
                                                << "': " << std::string(Message(status));
    images.push_back(makeImage(arch, *texts, compiled));
  }
  return images;
}

} // namespace ashlar::cuda
