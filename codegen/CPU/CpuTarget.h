// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Host code: kernels become LLVM functions
//
//   void kernel(void *const *buffers, const int64_t *extents, int64_t begin, int64_t end, void
//   *scratch)
//
// that compute the work items [begin, end) of their grid. Grids and the order of every sum depend
// on extents only, never on the number of threads, and a row's result does not depend on the other
// rows: the same bits for any batch.

#ifndef ASHLAR_CODEGEN_CPU_CPUTARGET_H
#define ASHLAR_CODEGEN_CPU_CPUTARGET_H

#include "codegen/CPU/CpuModel.h"
#include "codegen/Target.h"

namespace ashlar::cpu {

/// A target that makes one image per model.
class CpuTarget : public Target {
public:
  explicit CpuTarget(std::vector<CpuModel> models) : models(std::move(models)) {}

  mlir::FailureOr<KernelDescription> describe(mlir::func::FuncOp kernel) const override;
  mlir::FailureOr<std::vector<CodeImage>>
  compile(llvm::ArrayRef<mlir::func::FuncOp> kernels) const override;

  /// Prints the assembly of every kernel for every model.
  mlir::LogicalResult printAssembly(llvm::ArrayRef<mlir::func::FuncOp> kernels,
                                    llvm::raw_ostream &stream) const;

private:
  std::vector<CpuModel> models;
};

} // namespace ashlar::cpu

#endif
