// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stable codes of the compiler's errors, the same that statuses of the runtime carry
// (runtime/base/error_code.h; `ashlar explain E1002`). A code travels in the diagnostic's metadata,
// so that messages stay what they are; the driver prints it behind them.

#ifndef ASHLAR_COMPILER_DIAGNOSTICS_ERRORCODES_H
#define ASHLAR_COMPILER_DIAGNOSTICS_ERRORCODES_H

#include "mlir/IR/Diagnostics.h"
#include "runtime/base/error_code.h"

namespace ashlar {

/// An error at `loc` with this code.
mlir::InFlightDiagnostic emitError(mlir::Location loc, ErrorCode code);

/// The status of a runtime's library as an error at `loc`: its message and its code. Not for OK.
mlir::InFlightDiagnostic emitError(mlir::Location loc, const absl::Status &status);

/// Gives the error, unless it was dropped, this code in place of the one it had.
void setCode(mlir::InFlightDiagnostic &error, ErrorCode code);

/// While it lives, each error of the context that reaches an older handler ends in its code,
/// "[E1002]": the one that it was given, else the stage's.
class ErrorCodes {
public:
  ErrorCodes(mlir::MLIRContext &context, ErrorCode stage);

  /// What follows is of another stage.
  void enter(ErrorCode code) { stage = code; }

  /// The code of the last error, or nothing.
  std::optional<ErrorCode> getLast() const { return last; }

private:
  ErrorCode stage;
  std::optional<ErrorCode> last;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace ashlar

#endif
