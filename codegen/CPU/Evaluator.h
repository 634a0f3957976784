// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Computes elements of the values of a kernel's body, wherever a kernel needs them: as the prologue
// that packs an operand, as the epilogue of a product, or as the whole body of a row kernel. An
// element is asked for by its index in the value (one i64 per dimension); with vector lanes it is a
// register of consecutive elements along the last dimension. What a kernel has computed already (a
// product's tile, a row in scratch) it provides.

#ifndef ASHLAR_CODEGEN_CPU_EVALUATOR_H
#define ASHLAR_CODEGEN_CPU_EVALUATOR_H

#include "codegen/CPU/Emitter.h"
#include "codegen/Common/View.h"

namespace ashlar::cpu {

class Evaluator {
public:
  using Index = llvm::ArrayRef<mlir::Value>;
  using Provider = std::function<mlir::Value(Index, Lanes)>;

  /// `buffers` and `extents` are the kernel's arguments.
  Evaluator(Emitter &emitter, mlir::func::FuncOp kernel, mlir::Value buffers, mlir::Value extents);

  Emitter &e;
  mlir::func::FuncOp kernel;

  /// The value of a named dimension, or the number.
  mlir::Value size(const graph::Dim &dim);
  mlir::Value product(const graph::Monomial &monomial);
  /// The pointer of the i-th argument (results follow the arguments).
  mlir::Value buffer(unsigned index) { return pointers[index]; }
  mlir::Value resultBuffer(unsigned result) { return pointers[kernel.getNumArguments() + result]; }

  /// The address of an element: its index in the buffer, in elements.
  mlir::Value address(const View &view, Index index);

  /// Elements of `value` are computed by `provider` from now on.
  void provide(mlir::Value value, Provider provider, bool inLanes = true) {
    providers[value] = {std::move(provider), inLanes};
  }
  bool isProvided(mlir::Value value) const { return providers.count(value); }

  /// One element (or a register of them). Floating point arrives as f32 (f64 for f64).
  mlir::Value evaluate(mlir::Value value, Index index, Lanes lanes = {});

  /// Whether `evaluate` can take vector lanes for the value; otherwise elements are asked for one
  /// by one.
  bool isVectorisable(mlir::Value value);

  /// Splits a linear row-major position into an index.
  llvm::SmallVector<mlir::Value> delinearise(mlir::Value position, llvm::ArrayRef<graph::Dim> dims);
  mlir::Value linearise(Index index, llvm::ArrayRef<graph::Dim> dims);

private:
  mlir::Value evaluateOp(mlir::Operation *op, mlir::Value value, Index index, Lanes lanes);
  mlir::Value evaluateElementwise(mlir::Operation *op, Index index, Lanes lanes);
  mlir::Value evaluateRope(graph::RopeOp op, Index index, Lanes lanes);
  mlir::Value evaluateRopeTable(graph::RopeTableOp op, mlir::Value value, Index index, Lanes lanes);
  mlir::Value evaluateEmbedding(graph::EmbeddingOp op, Index index, Lanes lanes);
  mlir::Value evaluateConcat(graph::ConcatOp op, Index index, Lanes lanes);
  mlir::Value evaluateMatmul(graph::MatmulOp op, Index index, Lanes lanes);
  mlir::Value evaluateReduce(graph::ReduceOp op, Index index, Lanes lanes);
  mlir::Value evaluateCumsum(graph::CumsumOp op, Index index);
  mlir::Value evaluateConstant(graph::ConstantOp op, Lanes lanes);
  mlir::Value loadPanel(mlir::BlockArgument weight, mlir::Value row, mlir::Value column,
                        Lanes lanes);

  llvm::DenseMap<mlir::StringAttr, mlir::Value> extents;
  llvm::SmallVector<mlir::Value> pointers;
  struct Provided {
    Provider provider;
    bool inLanes = true;
  };
  llvm::DenseMap<mlir::Value, Provided> providers;
};

/// The layout attribute of a kernel's argument, empty for row-major.
llvm::StringRef getLayout(mlir::BlockArgument argument);

} // namespace ashlar::cpu

#endif
