// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the driver's commands compile in.
#pragma once

#include "compiler/Diagnostics/ErrorCodes.h"
#include "llvm/Support/SourceMgr.h"
#include "mlir/IR/MLIRContext.h"

namespace ashlar {

// A context of one thread. Its diagnostics go to stderr, errors with their code: that which they
// were given, else that of the stage, which is at first the import's (E1001).
struct CompilerContext {
  CompilerContext() {
    context.disableMultithreading();
    context.printOpOnDiagnostic(false);  // a model is thousands of lines
  }

  mlir::MLIRContext context;
  llvm::SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler diagnostics{sources, &context};
  bool is_quiet = false;  // nothing is printed; `codes` knows of it nevertheless
  mlir::ScopedDiagnosticHandler silencer{
      &context, [this](mlir::Diagnostic&) { return mlir::success(is_quiet); }};
  ErrorCodes codes{context, ErrorCode::kBadModel};
};

}  // namespace ashlar
