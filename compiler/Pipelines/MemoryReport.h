// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a program takes: every byte by category, known before it runs.

#ifndef ASHLAR_COMPILER_PIPELINES_MEMORYREPORT_H
#define ASHLAR_COMPILER_PIPELINES_MEMORYREPORT_H

#include "compiler/Pipelines/LowerToProgram.h"
#include "mlir/IR/BuiltinOps.h"

namespace ashlar {

/// Bytes that a session of the program takes.
struct MemoryReport {
  int64_t weights = 0;
  int64_t constants = 0;
  int64_t state = 0;
  int64_t arena = 0; // the largest entry point's plan
  int64_t arenaLowerBound = 0;
  int64_t joinedOutputs = 0; // where steps run in microbatches: the largest entry point's outputs
  int64_t scratch = 0;       // per worker
  std::string largestEntry;

  int64_t getTotal(int64_t threads) const {
    return weights + constants + state + arena + joinedOutputs + threads * scratch;
  }
  /// What another stage of the same ranks takes beside it; constants are shared.
  void add(const MemoryReport &other);
};

/// Of a program without stages, or of the ranks of one.
MemoryReport getMemoryReport(mlir::ModuleOp module, std::optional<int64_t> stage);
/// Of the ranks that take most.
MemoryReport getMemoryReport(mlir::ModuleOp module);

/// Bytes by which the program exceeds the limit; 0 where it does not.
int64_t getExcess(mlir::ModuleOp module, const LoweringOptions &options);

/// Emits an error that says what takes how much, and what would help, where the program exceeds the
/// limit.
mlir::LogicalResult checkMemoryLimit(mlir::ModuleOp module, const LoweringOptions &options);

} // namespace ashlar

#endif
