// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model's parameters: declares each once as a `graph.state` and holds it against the checkpoint's
// header.

#ifndef ASHLAR_COMPILER_IMPORT_WEIGHTS_H
#define ASHLAR_COMPILER_IMPORT_WEIGHTS_H

#include "compiler/Import/HuggingFace.h"
#include "dialects/Graph/Graph.h"
#include "runtime/checkpoint/safetensors.h"

#include <memory>

namespace ashlar {

/// A place in the model: `name` is the path that locations, plans and errors use
/// ("encoder.layer.3.attention.self"), `prefix` what a checkpoint puts before it ("bert.", or
/// nothing).
struct Path {
  std::string prefix;
  std::string name;

  Path operator/(const llvm::Twine &part) const {
    return {prefix, name.empty() ? part.str() : name + "." + part.str()};
  }
};

/// Columns [begin, begin + size) of a tensor with `whole` of them.
struct ColumnRange {
  int64_t begin, size, whole;
};

/// States stand before the functions that use them.
void setInsertionPointForStates(mlir::OpBuilder &builder, mlir::ModuleOp module);

/// Of the model that is imported; the runtime has a class Weights of its own, in the same
/// namespace.
class ImportedWeights {
public:
  /// `checkpoint` may be null (random weights); then `random` is the type of matrices under
  /// WeightType::Auto.
  ImportedWeights(mlir::ModuleOp module, std::shared_ptr<const Checkpoint> checkpoint,
                  WeightType type, mlir::Type random, std::string basePrefix, double stddev)
      : module(module), checkpoint(std::move(checkpoint)), type(type), random(random),
        basePrefix(std::move(basePrefix)), stddev(stddev) {}

  /// Returns the parameter `path.leaf`, declared when it is first asked for. A tensor that is
  /// missing or has another shape is a diagnostic (see isGood()), and the state is declared as
  /// expected.
  graph::StateOp get(const Path &path, llvm::StringRef leaf, llvm::ArrayRef<int64_t> shape,
                     graph::InitKind init, mlir::Location loc);

  /// Returns the parameter `path.part.leaf`, those columns of the checkpoint's tensor `path.leaf`,
  /// which may have rows, too.
  graph::StateOp getColumns(const Path &path, llvm::StringRef part, llvm::StringRef leaf,
                            llvm::ArrayRef<int64_t> rows, const ColumnRange &columns,
                            graph::InitKind init, mlir::Location loc);

  /// Whether the checkpoint has the tensor, under any of its names. True without a checkpoint.
  bool has(const Path &path, llvm::StringRef leaf) const;

  /// Whether any matrix or table declared so far is read as bf16.
  bool hasBf16() const;

  bool isGood() const { return errors == 0; }

private:
  const TensorInfo *find(const Path &path, llvm::StringRef leaf) const;
  mlir::Type getElementType(const TensorInfo *tensor, size_t rank) const;
  void check(const TensorInfo *tensor, const std::string &name, llvm::ArrayRef<int64_t> shape,
             mlir::Location loc);
  /// The tensor, found and checked, or null.
  const TensorInfo *findChecked(const Path &path, llvm::StringRef leaf,
                                llvm::ArrayRef<int64_t> shape, mlir::Location loc);
  graph::StateOp declare(llvm::StringRef name, const TensorInfo *tensor,
                         llvm::ArrayRef<int64_t> shape, graph::InitKind init, mlir::Location loc);

  mlir::ModuleOp module;
  std::shared_ptr<const Checkpoint> checkpoint;
  WeightType type;
  mlir::Type random;
  std::string basePrefix;
  double stddev;
  llvm::StringMap<graph::StateOp> declared;
  llvm::StringMap<const TensorInfo *> merged; // those whose columns are parameters
  int errors = 0;
};

} // namespace ashlar

#endif
