// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Paths: the names by which plans, errors and profiles speak of values. A value's path is the name
// of its location, `loc("encoder.layer.3.attention.self.query.matmul"("config.json":0:0))`, and is
// its own within an entry point:
//
// - of an input the caller's name for it: input_ids
// - of a state's reading the state's name: encoder.layer.3.output.dense.bias
// - of any other value where in the model it is, and what it computes:
//   encoder.layer.3.output.dense.add
// - of values side by side what differs, in braces: layers.0.{q_proj,k_proj}.matmul
//
// The results of one op share its path. Constants have none: they are what they hold. A view that
// fused regions repeat keeps its path, since it is the same value.

#ifndef ASHLAR_DIALECTS_GRAPH_GRAPHPATHS_H
#define ASHLAR_DIALECTS_GRAPH_GRAPHPATHS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace ashlar::graph {

/// Returns the path that a location names, or nothing.
llvm::StringRef getPath(mlir::Location loc);

/// Returns the location at the same place of the source, with another path.
mlir::Location withPath(mlir::Location loc, llvm::StringRef path);

/// Returns one path for values side by side: what they share, and in braces what differs.
std::string joinPaths(llvm::ArrayRef<llvm::StringRef> paths);

/// The paths of one entry point, to make new ones.
class PathTable {
public:
  PathTable() = default;
  /// Holds the paths of every value in the function.
  explicit PathTable(mlir::func::FuncOp function);

  /// Returns `wanted`, or `wanted_N` with the first N from 1 that nobody has taken; it is taken
  /// now.
  std::string take(llvm::StringRef wanted);

private:
  llvm::StringSet<> taken;
  llvm::StringMap<int> counts;
};

/// Gives a path to every value of the function that has none: inputs and readings by name, others
/// by what they compute.
void namePathlessValues(mlir::func::FuncOp function);

/// Checks that every value of an entry point has a path, and no two values the same. Emits errors.
mlir::LogicalResult verifyPaths(mlir::func::FuncOp function);

} // namespace ashlar::graph

#endif
