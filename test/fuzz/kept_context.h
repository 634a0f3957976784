// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A context that many executions share, since making one takes longer than most inputs.
#pragma once

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

#include <memory>

namespace ashlar::fuzz {

/// A context with these dialects loaded, of one thread. What inputs leave in it (types, attributes)
/// goes with it after some hundred executions.
template <typename... Dialects>
mlir::MLIRContext &keptContext() {
  constexpr int kExecutions = 500;
  static std::unique_ptr<mlir::MLIRContext> context;
  static int executions = 0;
  if (!context || ++executions % kExecutions == 0) {
    context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
    (context->getOrLoadDialect<Dialects>(), ...);
  }
  return *context;
}

} // namespace ashlar::fuzz
