// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that bring a graph module onto a mesh; Passes.td says what each one does.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PASSES_H
#define ASHLAR_COMPILER_DISTRIBUTION_PASSES_H

#include "dialects/Dist/Dist.h"
#include "mlir/Pass/Pass.h"

namespace ashlar {

#define GEN_PASS_DECL
#include "compiler/Distribution/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/Distribution/Passes.h.inc"

} // namespace ashlar

#endif
