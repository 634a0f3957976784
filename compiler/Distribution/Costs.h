// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What resharding and computing cost on a mesh, at the bounds of named dimensions.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_COSTS_H
#define ASHLAR_COMPILER_DISTRIBUTION_COSTS_H

#include "compiler/CostModel/Collectives.h"
#include "compiler/Distribution/Factors.h"
#include "dialects/Dist/Reshard.h"

namespace ashlar::distribution {

struct StepCost {
  double bytes = 0;   // what a rank holds of the larger side
  double seconds = 0; // compiler/CostModel/Collectives.h, over the slowest of the axes
};

class Costs {
public:
  Costs(mlir::ModuleOp module, const dist::Mesh &mesh) : module(module), mesh(mesh) {}

  /// A step of the way of a whole tensor, which lies as `before`.
  StepCost getStep(mlir::Type whole, const dist::Sharding &before, const dist::ReshardStep &step);
  /// All steps from one sharding to another.
  double getReshardSeconds(mlir::Type whole, const dist::Sharding &from, const dist::Sharding &to);
  /// The op itself when its factors are cut so, on the rank with most of it: what it computes, and
  /// what it combines on the way.
  double getOpSeconds(mlir::Operation *op, const graph::ShardingRule &rule, const FactorAxes &axes);
  /// What an op computes on the tensors that it has: the longer of its arithmetic and of reading
  /// parameters and caches from memory (what ops hand each other is taken to be at hand). 0 where
  /// nothing is known of it, or of the ranks.
  double getOpSeconds(mlir::Operation *op);
  double getFlops(mlir::Operation *op);
  /// A collective of this many bytes along these axes.
  double getSeconds(CollectiveKind kind, double bytes, llvm::ArrayRef<dist::Axis> axes);
  /// A collective on the tensors that it has; 0 for a recv, whose time is its sender's.
  double getSeconds(dist::CollectiveOpInterface op);
  /// Of its larger side, on a rank.
  double getBytes(dist::CollectiveOpInterface op);
  /// Bytes of a tensor on the rank with most of it.
  double getBytes(mlir::Type whole, const dist::Sharding &sharding);

  /// Whether a value is a parameter, follows from parameters alone, or is a cache.
  bool isStored(mlir::Value value);

  /// The extent of a dimension, at its bound where it is a name.
  int64_t getExtent(mlir::Type type, unsigned dim);

  /// A number, or the bound of a name.
  double getSize(const graph::Dim &dim);

  /// What follows is for this extent of a named dimension, in place of its bound; what ranks hold
  /// of it follows.
  void setExtent(mlir::StringAttr name, int64_t extent) { extents[name] = extent; }

private:
  double getStoredBytes(mlir::Operation *op, const graph::ShardingRule &rule,
                        const FactorAxes &axes);
  double getComputeSeconds(mlir::Operation *op, const graph::ShardingRule &rule,
                           const FactorAxes &axes);
  int64_t getBound(mlir::StringAttr name);

  mlir::ModuleOp module;
  const dist::Mesh &mesh;
  llvm::DenseMap<mlir::StringAttr, int64_t> extents;   // in place of bounds
  llvm::DenseMap<mlir::StringAttr, graph::DimOp> dims; // as they were found
  mlir::SymbolTableCollection symbols;
};

/// Calls `run` for every entry point of a module that has a mesh.
void forEachEntry(mlir::ModuleOp module,
                  llvm::function_ref<void(mlir::func::FuncOp, Costs &, const dist::Mesh &)> run);

} // namespace ashlar::distribution

#endif
