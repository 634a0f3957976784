// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From fused graph functions to the program dialect: regions become kernels (equal ones once),
// values become bytes of the arena, parameters become packed weights, states get their places.
// After this every decision is made.

#ifndef ASHLAR_COMPILER_PIPELINES_LOWERTOPROGRAM_H
#define ASHLAR_COMPILER_PIPELINES_LOWERTOPROGRAM_H

#include "codegen/Target.h"
#include "mlir/IR/BuiltinOps.h"

#include <optional>

namespace ashlar {

struct LoweringOptions {
  /// Most bytes of arena, scratch, state and weights together; nothing: no limit.
  std::optional<int64_t> memoryLimit;
  /// Workers whose scratch is counted against the limit.
  int64_t threads = 1;
};

/// Rewrites the module: graph.dim, graph.state and entry points (which hold nothing but
/// graph.fused, graph.read, graph.write, constants and weights' concatenations) become program ops;
/// each kernel's body becomes a private function. Emits an error at the op that cannot be lowered.
mlir::LogicalResult lowerToProgram(mlir::ModuleOp module, const Target &target,
                                   const LoweringOptions &options);

} // namespace ashlar

#endif
