// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Device code: each kernel becomes a text of CUDA C++ over the device library (Kernels.h), compiled
// for every architecture asked for, the emulator among them. A kernel takes one parameter block,
// the addresses of its buffers and its extents; weights lie row-major along a product's depth.

#ifndef ASHLAR_CODEGEN_CUDA_CUDATARGET_H
#define ASHLAR_CODEGEN_CUDA_CUDATARGET_H

#include "absl/status/statusor.h"
#include "codegen/CUDA/CudaOptions.h"
#include "codegen/Target.h"

#include <memory>
#include <string>
#include <vector>

namespace ashlar::cuda {

class KernelCompiler;

/// Whose peaks the cost model takes for code for these architectures: the largest device's, an
/// H100's where none is named. A kernel has one choice, whatever it is compiled for, as a program
/// has one list of launches.
const DevicePeaks &getDevice(llvm::ArrayRef<std::string> archs);

/// A target that makes one image per architecture.
class CudaTarget : public Target {
public:
  /// `archs`: "sm_80", "sm_90a", "emulator", "emulator_90a"; `threads` compile at the same time.
  /// Fails where the compiler of one of them is missing; says what to install. With no architecture
  /// nothing is compiled, and texts can be printed. With `usesTf32` products of f32 weights round
  /// their operands to tf32, which the tensor cores multiply.
  static absl::StatusOr<std::unique_ptr<CudaTarget>>
  create(const std::vector<std::string> &archs, unsigned threads, const CudaOptions &options = {});
  ~CudaTarget() override;

  bool hasPanels() const override { return false; }
  bool roundsLeftOperands() const override { return true; }
  int64_t getMultiprocessors() const override;
  mlir::FailureOr<KernelDescription> describe(mlir::func::FuncOp kernel) const override;
  mlir::FailureOr<std::vector<CodeImage>>
  compile(llvm::ArrayRef<mlir::func::FuncOp> kernels) const override;

  /// Prints the text of every kernel for an architecture.
  mlir::LogicalResult printText(llvm::ArrayRef<mlir::func::FuncOp> kernels, const std::string &arch,
                                llvm::raw_ostream &stream) const;

private:
  CudaTarget(unsigned threads, const CudaOptions &options);

  std::vector<std::unique_ptr<KernelCompiler>> compilers;
  unsigned threads;
  CudaOptions options;
};

} // namespace ashlar::cuda

#endif
