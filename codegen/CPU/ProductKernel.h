// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y = epilogue(a w1, a w2, ...), a [rows, depth] read in place, w packed in panels of 32 columns.
//
// A work item is a block of kRowBlock rows times a few panels. Its sums live in scratch
// ([rows][columns] per product); depth is cut in blocks (CpuModel::depthBlock) so that the panels'
// part stays in cache while the rows pass over it, or is read from end to end where the rows are
// few (CpuModel::readsOneStream). With the last block the epilogue follows each group of rows,
// while its sums are in cache, and asks for the rows that the next group writes. Neighbouring items
// share the rows of a, which the machine's bf16 instructions take rounded.

#ifndef ASHLAR_CODEGEN_CPU_PRODUCTKERNEL_H
#define ASHLAR_CODEGEN_CPU_PRODUCTKERNEL_H

#include "codegen/CPU/Kernels.h"
#include "codegen/CPU/Tiles.h"

namespace ashlar::cpu {

/// The rows of a work item, at most.
inline constexpr int64_t kRowBlock = 192;

class ProductKernel : public KernelShape {
public:
  static mlir::FailureOr<std::unique_ptr<KernelShape>> create(mlir::func::FuncOp kernel);

  KernelDescription describe(llvm::ArrayRef<CpuModel> models) const override;
  void emit(KernelContext &context) const override;

private:
  /// The block of columns and of rows that a work item computes.
  struct Item {
    mlir::Value block, firstRow, rows;
  };
  /// The item's columns of one product's weights.
  struct Panels {
    mlir::Value begin;
    mlir::Type element;
    int64_t step, run; // elements: of a step of the depth, of all of it, in columns side by side
    int64_t blockElements; // of all columns
    int64_t panelElements() const { return kPanel / step * run; }
  };
  using Finish = llvm::function_ref<void(mlir::Value first, mlir::Value count)>;

  int64_t chooseItemColumns() const;
  mlir::Value locateSums(KernelContext &c, size_t index) const;
  mlir::Value locateRounded(KernelContext &c) const;
  void emitEpilogue(KernelContext &c, const Item &item, mlir::Value first, mlir::Value count) const;
  void prefetchResults(KernelContext &c, const Item &item, mlir::Value first,
                       mlir::Value count) const;

  // ProductPanels.cpp: an item's sums, from the weights' panels.
  void roundLeft(KernelContext &c, const Item &item) const;
  mlir::Value locateLeft(KernelContext &c, const Item &item) const;
  Panels locatePanels(KernelContext &c, const Item &item, size_t index) const;
  int64_t getLastDepth(int64_t block) const { return (depth - 1) / block * block; }
  void emitProduct(KernelContext &c, const Item &item, size_t index, Finish finish) const;
  void emitMatrixProduct(KernelContext &c, const Item &item, size_t index, Finish finish) const;
  /// Calls emitStrip(first panel, columns, whether it is the last) for the item's panels; for all
  /// of them at once where they are streamed, or the item's rows are one group.
  void emitColumns(Emitter &e, const Item &item, bool isStreamed,
                   llvm::function_ref<void(int64_t, int64_t, bool)> emitStrip) const;

  mutable mlir::func::FuncOp kernel; // an op is a handle; its accessors are not const
  mutable llvm::SmallVector<graph::MatmulOp> products;
  View left;
  graph::Monomial rowStride; // of the left operand, in elements
  graph::Monomial rows;
  int64_t columns = 0, depth = 0;
  int64_t itemColumns = 2 * kPanel; // of a work item
  bool isBf16 = false;              // the weights
};

} // namespace ashlar::cpu

#endif
