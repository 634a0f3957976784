// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes C++ that computes elements of the values of a kernel's body, wherever a kernel needs them:
// an operand's tile, a product's epilogue, a row. An element is asked for by its place in the
// value.
//
// With lanes, a place stands for `lanes()` neighbours along the last dimension, and code goes to
// two streams: what the neighbours share (index arithmetic, 16-byte loads) outside of the loop over
// lanes, their own arithmetic inside:
//
//   const Vec<float, 4> in0_ = load_vector<float, 4>(in0 + at);      // outer
//   for (int lane = 0; lane < 4; ++lane) {
//     const float add_ = in0_.element[lane] + in1_.element[lane];    // inner
//
// What a kernel has computed already (a product, a norm's row) it provides.

#ifndef ASHLAR_CODEGEN_CUDA_ELEMENTWRITER_H
#define ASHLAR_CODEGEN_CUDA_ELEMENTWRITER_H

#include "codegen/CUDA/Code.h"
#include "codegen/Common/View.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace ashlar::cuda {

/// Where an element stands: expressions, one per dimension of the value, or the row-major position;
/// one may be left out.
struct Place {
  llvm::SmallVector<std::string, 4> at;
  std::string linear;
  bool lanes = false; // and the elements behind it
};

class ElementWriter {
public:
  using Provider = std::function<std::string(const Place &)>;

  ElementWriter(mlir::func::FuncOp kernel, Names &names);

  mutable mlir::func::FuncOp kernel; // an op is a handle; its accessors are not const
  Names &names;

  /// The streams; `lanes` elements a place, `laneName` the loop's variable.
  void writeTo(Code &code) { outer = inner = &code, laneCount = 1; }
  void writeTo(Code &outerCode, Code &innerCode, int64_t lanes) {
    outer = &outerCode, inner = &innerCode, laneCount = lanes;
  }
  int64_t lanes() const { return laneCount; }
  Code &code(bool perLane = false) { return perLane ? *inner : *outer; }
  static constexpr llvm::StringLiteral kLane = "lane";

  /// The type of indices: 32 bits where every buffer is small enough.
  std::string index = "int64";

  /// Elements of `value` are what `provider` returns from now on.
  void provide(mlir::Value value, Provider provider) { providers[value] = std::move(provider); }
  bool isProvided(mlir::Value value) const { return providers.count(value); }
  /// Undoes provide(); returns what provided.
  Provider withdraw(mlir::Value value) {
    Provider provider = std::move(providers[value]);
    providers.erase(value);
    return provider;
  }

  /// The expression of an element; floating point is float.
  std::string evaluate(mlir::Value value, Place place);

  /// Whether `count` neighbours of the value can be computed together.
  bool fitsLanes(mlir::Value value, int64_t count) const;

  /// Expressions.
  std::string getBuffer(unsigned index) const;
  std::string getSize(const graph::Dim &dim) const;
  std::string getProduct(const graph::Monomial &monomial) const;
  std::string getCount(llvm::ArrayRef<graph::Dim> dims) const;
  std::string getAddress(const View &view, Place &place);
  std::string linearise(Place &place, llvm::ArrayRef<graph::Dim> dims);
  void locate(Place &place, llvm::ArrayRef<graph::Dim> dims);
  /// The last coordinate of one lane.
  std::string getLane(const Place &place);

private:
  std::string evaluateOp(mlir::Operation *op, mlir::Value value, Place &place);
  std::string load(const View &view, Place &place);
  std::string evaluateElementwise(mlir::Operation *op, Place &place);
  std::string evaluateReshape(graph::ReshapeOp op, Place &place);
  std::string evaluateGather(graph::GatherOp op, Place &place);
  std::string evaluateRope(graph::RopeOp op, Place &place);
  std::string evaluateRopeTable(graph::RopeTableOp op, mlir::Value value, Place &place);
  std::string evaluateEmbedding(graph::EmbeddingOp op, Place &place);
  std::string evaluateConcat(graph::ConcatOp op, Place &place);
  std::string evaluateMatmul(graph::MatmulOp op, Place &place);
  std::string evaluateReduce(graph::ReduceOp op, Place &place);
  std::string evaluateCumsum(graph::CumsumOp op, Place &place);
  std::string evaluateMergeAttention(graph::MergeAttentionOp op, mlir::Value value, Place &place);
  Place align(const Place &place, llvm::ArrayRef<graph::Dim> from, llvm::ArrayRef<graph::Dim> to);

  Code *outer = nullptr, *inner = nullptr;
  int64_t laneCount = 1;
  llvm::DenseMap<mlir::Value, Provider> providers;
};

/// Expressions of integers, without needless ones and zeros.
std::string add(const std::string &x, const std::string &y);
std::string multiply(const std::string &x, const std::string &y);
std::string divide(const std::string &x, const std::string &y);
std::string modulo(const std::string &x, const std::string &y);

graph::Dims dimsOf(mlir::Value value);
mlir::Type elementOf(mlir::Value value);

/// The layout attribute of a kernel's argument, empty for row-major.
llvm::StringRef getLayout(mlir::BlockArgument argument);

/// The name of a kernel's extent as a variable.
std::string getExtentVariable(mlir::func::FuncOp kernel, mlir::StringAttr name);

} // namespace ashlar::cuda

#endif
