// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The four shapes of kernel that a fused region becomes:
//
//   product     one or more matmuls of one left operand with packed weights, and an elementwise
//               epilogue
//   attention   online softmax between two products, queries evaluated in place, keys and values
//               packed or cached
//   append      new keys or values into a cache
//   rows        everything else: row by row, reductions along the last dimension in lanes
//
// Each is described from its extents' bounds and emitted into a function that loops over its work
// items.

#ifndef ASHLAR_CODEGEN_CPU_KERNELS_H
#define ASHLAR_CODEGEN_CPU_KERNELS_H

#include "codegen/CPU/Evaluator.h"
#include "mlir/IR/BuiltinOps.h"

#include <memory>

namespace ashlar::cpu {

/// What a kernel's body is emitted with.
struct KernelContext {
  Emitter &e;
  Evaluator &evaluator;
  mlir::ModuleOp module;  // where tile functions go
  mlir::Value begin, end; // the kernel's arguments
  mlir::Value launch;     // the number of the launch
  mlir::Value notes;      // of the worker: what it has packed
  mlir::Value scratch;    // what is left of the worker's scratch

  /// Emits the body, to be run unless what this worker ran it for last was `place` in this launch:
  /// what the body packs into scratch serves all items of a worker that need the same. One such
  /// body a kernel.
  void oncePer(mlir::Value place, llvm::function_ref<void()> body);
};

/// The bytes of a worker's scratch that hold its notes.
inline constexpr int64_t kNotesBytes = 64;

class KernelShape {
public:
  virtual ~KernelShape() = default;
  /// `models` are the machines that code is made for.
  virtual KernelDescription describe(llvm::ArrayRef<CpuModel> models) const = 0;
  virtual void emit(KernelContext &context) const = 0;
};

/// Returns the kernel's shape; emits an error at the op that stands in the way where there is none.
mlir::FailureOr<std::unique_ptr<KernelShape>> getKernelShape(mlir::func::FuncOp kernel);

// One factory per shape; each fails with a diagnostic.
mlir::FailureOr<std::unique_ptr<KernelShape>> createProductKernel(mlir::func::FuncOp kernel);
mlir::FailureOr<std::unique_ptr<KernelShape>> createAttentionKernel(mlir::func::FuncOp kernel);
mlir::FailureOr<std::unique_ptr<KernelShape>> createAppendKernel(mlir::func::FuncOp kernel);
mlir::FailureOr<std::unique_ptr<KernelShape>> createRowsKernel(mlir::func::FuncOp kernel);

/// The bytes of `count` f32 elements rounded up to a cache line.
graph::Polynomial floatBytes(graph::Polynomial count);

/// count as a grid factor.
Extent asExtent(const graph::Monomial &monomial, int64_t divisor = 1);

/// Drops reshapes from a returned value: the value that is computed, in the order in which it is
/// stored.
mlir::Value stripReshapes(mlir::Value value);

} // namespace ashlar::cpu

#endif
