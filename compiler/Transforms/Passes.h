// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes over graph modules; Passes.td says what each one does.

#ifndef ASHLAR_COMPILER_TRANSFORMS_PASSES_H
#define ASHLAR_COMPILER_TRANSFORMS_PASSES_H

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace ashlar {

#define GEN_PASS_DECL
#include "compiler/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/Transforms/Passes.h.inc"

} // namespace ashlar

#endif
