// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of a program: outlines fused regions into functions and finds equal ones by their
// text, so that a layer is compiled once.

#ifndef ASHLAR_COMPILER_PIPELINES_KERNELTABLE_H
#define ASHLAR_COMPILER_PIPELINES_KERNELTABLE_H

#include "codegen/Target.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Program/Program.h"
#include "llvm/ADT/StringMap.h"

namespace ashlar {

class KernelTable {
public:
  KernelTable(mlir::ModuleOp module, const Target &target) : module(module), target(target) {}

  /// Returns the kernel of a region whose inputs have these layouts (empty: row-major), creating it
  /// with its body where there is no equal one. Caches that the region yields are written in place
  /// and are no results.
  mlir::FailureOr<program::KernelOp> getKernel(graph::FusedOp fused,
                                               llvm::ArrayRef<std::string> layouts);

  /// Bytes of scratch per worker: the most that any kernel takes.
  int64_t getScratchBytes() const { return scratchBytes; }

private:
  mlir::func::FuncOp outline(graph::FusedOp fused, llvm::ArrayRef<std::string> layouts);
  mlir::FailureOr<program::KernelOp> create(graph::FusedOp fused, mlir::func::FuncOp body);
  std::string getUniqueName(llvm::StringRef name);

  mlir::ModuleOp module;
  const Target &target;
  llvm::StringMap<program::KernelOp> byText;
  llvm::StringMap<int> nameCounts;
  int64_t scratchBytes = 0;
};

/// The module's extents at their bound.
int64_t getBound(mlir::ModuleOp module, mlir::StringAttr dim);

program::ExtentAttr toExtentAttr(mlir::MLIRContext *context, const Extent &extent);
program::ExtentAttr toExtentAttr(mlir::MLIRContext *context, const graph::Dim &dim);
/// One extent per monomial.
llvm::SmallVector<mlir::Attribute> toExtentAttrs(mlir::MLIRContext *context,
                                                 const graph::Polynomial &polynomial);

} // namespace ashlar

#endif
