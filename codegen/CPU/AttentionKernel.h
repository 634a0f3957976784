// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// softmax(scale q k^T + mask) v with an online softmax: memory does not grow with the number of
// keys.
//
// A work item is a block of kQueryBlock query rows of one sequence and one key-value head; the
// query heads that share the head are rows of the same block, so keys and values are read once for
// all of them. Per item:
//
//   Q [rows][width] = scale queries      evaluated in place: slices of a merged product, rotations
//   per block of kKeyBlock keys that some row may see:
//     S [rows][keys]  = Q K              K in panels [position / 32][width][32]
//     row by row: mask, new maximum m, S = exp(S - m), l = l exp(m_old - m) + sum S,
//                 O *= exp(m_old - m)
//     O [rows][value width] += S V       V in rows padded to 32
//   output = O / l, logsumexp = m + ln l
//
// Caches may hold 16-bit elements, which are widened in registers; arithmetic is f32. Keys and
// values that are no cache are packed into scratch once per sequence and head;
// neighbouring items share them. Key blocks start at multiples of kKeyBlock, so a row's result does
// not depend on the rows beside it. A hidden key has weight 0; where its value is not finite the
// rows that do not see it become NaN.

#ifndef ASHLAR_CODEGEN_CPU_ATTENTIONKERNEL_H
#define ASHLAR_CODEGEN_CPU_ATTENTIONKERNEL_H

#include "codegen/CPU/Kernels.h"

namespace ashlar::cpu {

/// Rows and keys that one step of an item works on.
inline constexpr int64_t kQueryBlock = 64;
inline constexpr int64_t kKeyBlock = 128;

class AttentionKernel : public KernelShape {
public:
  static mlir::FailureOr<std::unique_ptr<KernelShape>> create(mlir::func::FuncOp kernel);
  KernelDescription describe(llvm::ArrayRef<CpuModel>) const override;
  void emit(KernelContext &context) const override;

private:
  /// Pointers into scratch, and what one item works on.
  struct Item {
    mlir::Value queries, scores, output, largest, sums, flags; // f32 arrays
    mlir::Value keys, values;                                  // of getStored()
    mlir::Value valueStride;                                   // elements between rows of values
    mlir::Value batch, head, firstRow, rows, keyCount, offset;
  };

  /// What keys and values lie in memory as: a cache's type, or f32 in scratch.
  mlir::Type getStored(KernelContext &c, mlir::Value operand) const;
  bool isCached() const { return mlir::isa<graph::CacheType>(op.getKeys().getType()); }
  void locateScratch(KernelContext &c, Item &item) const;
  void locateKeys(KernelContext &c, Item &item) const;
  void emitKeyBlocks(KernelContext &c, const Item &item) const;
  void emitScores(KernelContext &c, const Item &item, mlir::Value firstKey,
                  mlir::Value panels) const;
  void emitWeighted(KernelContext &c, const Item &item, mlir::Value firstKey,
                    mlir::Value keys) const;

  // AttentionPacking.cpp: operands as the products read them.
  void packKeys(KernelContext &c, const Item &item) const;
  void packKeyRows(KernelContext &c, const Item &item, mlir::Value key) const;
  void packKeyBlock(KernelContext &c, const Item &item, mlir::Value firstKey) const;
  void packValues(KernelContext &c, const Item &item, mlir::Value key) const;
  void packQueries(KernelContext &c, const Item &item) const;

  // AttentionSoftmax.cpp
  struct Block {
    mlir::Value firstKey, columns, isFirst; // of the keys; columns: padded to panels
  };
  void emitSoftmax(KernelContext &c, const Item &item, const Block &block) const;
  void emitFlags(KernelContext &c, const Item &item, const Block &block) const;
  mlir::Value hasPartialRows(KernelContext &c, const Item &item, const Block &block) const;
  mlir::Value emitMask(KernelContext &c, const Block &block, mlir::Value at, mlir::Value mask,
                       mlir::Value position) const;
  void emitRows(KernelContext &c, const Item &item, const Block &block, mlir::Value firstRow,
                int64_t count, bool byPosition) const;
  void emitRescale(KernelContext &c, const Item &item, mlir::Value row, mlir::Value factor) const;

  void emitOutput(KernelContext &c, const Item &item) const;
  /// The query's position in the sequence's rows, and its head, of a row of the block.
  std::pair<mlir::Value, mlir::Value> splitRow(KernelContext &c, const Item &item,
                                               mlir::Value row) const;

  mutable graph::AttentionOp op;               // an op is a handle; its accessors are not const
  int outputResult = -1, logsumexpResult = -1; // which results of the kernel they are
  graph::Dim batch, queryCount, keyRoom;
  int64_t heads = 0, keyHeads = 0, group = 0, width = 0, valueWidth = 0, paddedWidth = 0;
};

} // namespace ashlar::cpu

#endif
