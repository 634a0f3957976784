// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the families' files build models with: entry points, parameters and the layers that all of
// them share. Every value gets a path of its own (GraphPaths.h): its place in the model and what it
// computes.

#ifndef ASHLAR_COMPILER_IMPORT_MODELBUILDER_H
#define ASHLAR_COMPILER_IMPORT_MODELBUILDER_H

#include "compiler/Import/Config.h"
#include "compiler/Import/Weights.h"
#include "dialects/Graph/GraphPaths.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace ashlar {

/// An activation by transformers' name.
struct Activation {
  enum class Kind { Gelu, Relu, Silu, Tanh, Sigmoid, Identity } kind = Kind::Identity;
  graph::GeluApproximation approximation = graph::GeluApproximation::Exact;
};
/// Reads an activation's name from a config field; one that is not supported is an error that lists
/// those that are.
Activation readActivation(Config &config, llvm::StringRef field, llvm::StringRef otherwise);

class ModelBuilder {
public:
  ModelBuilder(mlir::ModuleOp module, ImportedWeights &weights, mlir::Location configLoc);

  mlir::MLIRContext *getContext() { return builder.getContext(); }
  ImportedWeights &getWeights() { return weights; }
  /// The location of a place in the model, for declarations and errors.
  mlir::Location getLoc(const Path &path);

  /// Declares `graph.dim @name from MIN to MAX` and returns the dimension.
  graph::Dim declareDim(llvm::StringRef name, const DimBounds &bounds);
  graph::Dim number(int64_t size) { return graph::Dim::number(size); }
  /// Declares a session's cache or counter, once.
  void declareState(graph::StateRole role, llvm::StringRef name, mlir::Type type);

  // Entry points. Between begin and end every other call adds to the entry's body.
  void beginEntry(llvm::StringRef name);
  /// An i64 input; `otherwise` is its graph.default (null: required), ids lie in [0, limit).
  mlir::Value input(llvm::StringRef name, llvm::ArrayRef<graph::Dim> dims,
                    mlir::Attribute otherwise, std::optional<int64_t> limit);
  /// An i64 input of numbers in [1, limit], the dimension's extent, which it is where left out.
  mlir::Value countInput(llvm::StringRef name, llvm::ArrayRef<graph::Dim> dims, graph::Dim limit,
                         int64_t bound);
  void output(llvm::StringRef name, mlir::Value value);
  void endEntry();
  mlir::Attribute iotaDefault() { return builder.getStringAttr("iota"); }
  mlir::Attribute intDefault(int64_t value) { return builder.getI64IntegerAttr(value); }
  mlir::Attribute dimDefault(const graph::Dim &dim) {
    return mlir::FlatSymbolRefAttr::get(dim.name);
  }

  // States. Reads stand at the entry's start and writes at its end.
  mlir::Value parameter(const Path &path, llvm::StringRef leaf, llvm::ArrayRef<int64_t> shape,
                        graph::InitKind init);
  mlir::Value read(llvm::StringRef state, mlir::Type type);
  void write(const Path &path, mlir::Value value, llvm::StringRef state);

  // Layers with parameters.
  /// y = x W^T + b, W [out, in].
  mlir::Value linear(const Path &path, mlir::Value x, int64_t in, int64_t out, bool bias);
  /// y = x W + b, W [in, out].
  mlir::Value linearTransposed(const Path &path, mlir::Value x, int64_t in, int64_t out);
  /// The same for some columns of W and b, which the checkpoint holds under `path`, side by side
  /// with others; here they are parameters of their own, `path.part`.
  mlir::Value mergedLinearTransposed(const Path &path, llvm::StringRef part, mlir::Value x,
                                     int64_t in, const ColumnRange &columns);
  /// y = x T^T, T the table [rows, width] of an embedding (tied output weights).
  mlir::Value tiedLinear(const Path &path, const Path &table, mlir::Value x, int64_t rows,
                         int64_t width);
  mlir::Value addBias(const Path &path, llvm::StringRef leaf, mlir::Value x, int64_t width);
  mlir::Value embedding(const Path &path, mlir::Value ids, int64_t rows, int64_t width);
  mlir::Value layerNorm(const Path &path, mlir::Value x, int64_t width, double epsilon);
  mlir::Value rmsNorm(const Path &path, mlir::Value x, int64_t width, double epsilon);

  // Plain ops.
  template <typename Op, typename... Args>
  mlir::Value make(const Path &path, Args &&...args) {
    return Op::create(builder, getValueLoc(path, Op::getOperationName()),
                      std::forward<Args>(args)...)
        ->getResult(0);
  }
  mlir::Value activate(const Path &path, const Activation &activation, mlir::Value x);
  mlir::Value reshape(const Path &path, mlir::Value x, llvm::ArrayRef<graph::Dim> dims);
  /// [batch, seq, heads * width] -> [batch, seq, heads, width].
  mlir::Value splitHeads(const Path &path, mlir::Value x, int64_t heads, int64_t width);
  mlir::Value mergeHeads(const Path &path, mlir::Value x);
  mlir::Value slice(const Path &path, mlir::Value x, int64_t axis, int64_t from, int64_t size);
  mlir::Value cast(const Path &path, mlir::Value x, mlir::Type elementType);
  mlir::Value reduce(const Path &path, graph::ReduceKind kind, mlir::Value x, int64_t axis,
                     bool keepDims);
  /// x[:, 0], for x [batch, n, ...].
  mlir::Value firstToken(const Path &path, mlir::Value x);
  mlir::Value constant(const Path &path, double value);     // f32, [1]
  mlir::Value constantInt(const Path &path, int64_t value); // i64, [1]
  mlir::Value constantVector(const Path &path, llvm::ArrayRef<float> values);
  /// Attention whose output alone is of interest. Optional operands may be null.
  mlir::Value attention(const Path &path, mlir::Value q, mlir::Value k, mlir::Value v,
                        mlir::Value offsets, mlir::Value lengths, mlir::Value mask, double scale,
                        bool causal, std::optional<int64_t> window);

  graph::Dims dimsOf(mlir::Value value);
  mlir::Type f32() { return builder.getF32Type(); }
  mlir::Type i64() { return builder.getI64Type(); }

private:
  mlir::Value addInput(llvm::StringRef name, llvm::ArrayRef<graph::Dim> dims,
                       mlir::NamedAttrList attrs);
  /// The location of a value: its path is `path.OP`, numbered where there are several.
  mlir::Location getValueLoc(const Path &path, llvm::StringRef opName);

  mlir::ModuleOp module;
  ImportedWeights &weights;
  mlir::Location configLoc;
  mlir::OpBuilder builder;
  mlir::func::FuncOp function;
  // Of the entry under construction:
  mlir::Operation *lastRead = nullptr;
  llvm::StringMap<mlir::Value> reads;
  graph::PathTable paths;
  struct PendingWrite {
    mlir::Location loc;
    mlir::Value value;
    std::string state;
  };
  std::vector<PendingWrite> writes;
  std::vector<mlir::DictionaryAttr> inputAttrs, outputAttrs;
  std::vector<mlir::Value> outputs;
};

} // namespace ashlar

#endif
