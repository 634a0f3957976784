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

#include "codegen/Target.h"

namespace ashlar::cpu {

/// One instruction set and the register blocking chosen for it.
struct CpuModel {
  llvm::StringRef name;                     // what --cpu takes, and LLVM's name of the CPU
  int64_t lanes;                            // f32 elements of a vector register
  int64_t accumulators;                     // registers that hold sums in a register tile
  int64_t tileRegisters;                    // registers of a row of the tile, at most
  llvm::ArrayRef<llvm::StringRef> features; // what the machine must have
};

/// Panels of packed weights and keys are this wide on every CPU.
inline constexpr int64_t kPanel = 32;

/// The known models: x86-64-v3 (AVX2 and FMA) and x86-64-v4 (AVX-512). Null where the name is
/// unknown.
const CpuModel *findCpuModel(llvm::StringRef name);
llvm::ArrayRef<CpuModel> getCpuModels();

/// The best model that this machine runs, or null.
const CpuModel *getNativeCpuModel();

/// A target that makes one image per model.
class CpuTarget : public Target {
public:
  explicit CpuTarget(llvm::ArrayRef<const CpuModel *> models) : models(models) {}

  mlir::FailureOr<KernelDescription> describe(mlir::func::FuncOp kernel) const override;
  mlir::FailureOr<std::vector<CodeImage>>
  compile(llvm::ArrayRef<mlir::func::FuncOp> kernels) const override;

private:
  llvm::SmallVector<const CpuModel *> models;
};

} // namespace ashlar::cpu

#endif
