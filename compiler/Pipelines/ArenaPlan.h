// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arena of one entry point: which values live when, and where the planner puts them. Step 0 is
// the caller's inputs, step i the i-th launch, the last step the caller's outputs; a value lives
// from the step that writes it to the last that reads it.

#ifndef ASHLAR_COMPILER_PIPELINES_ARENAPLAN_H
#define ASHLAR_COMPILER_PIPELINES_ARENAPLAN_H

#include "compiler/Memory/Planner/Planner.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/MapVector.h"

namespace ashlar {

class ArenaPlan {
public:
  /// A value of `bytes` at its bound, written at `step`.
  void define(mlir::Value value, int64_t bytes, int64_t step);
  /// Bytes that are in use at `step`, and where they are used later up to then; returns their
  /// number.
  size_t defineWorkspace(int64_t bytes, int64_t step);
  void useWorkspace(size_t number, int64_t step);
  /// A value that is read at `step`.
  void use(mlir::Value value, int64_t step);

  /// Plans offsets; every buffer starts at a cache line.
  absl::Status plan();

  int64_t getOffset(mlir::Value value) const { return result.offsets[indices.lookup(value)]; }
  int64_t getWorkspaceOffset(size_t number) const { return result.offsets[number]; }
  bool contains(mlir::Value value) const { return indices.count(value); }
  int64_t getPeak() const { return result.peak; }
  int64_t getLowerBound() const { return result.lowerBound; }

private:
  planner::Problem problem;
  llvm::DenseMap<mlir::Value, size_t> indices;
  planner::Plan result;
};

} // namespace ashlar

#endif
