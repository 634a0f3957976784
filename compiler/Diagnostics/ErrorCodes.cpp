// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Diagnostics/ErrorCodes.h"

#include "mlir/IR/Location.h"
#include "runtime/base/status.h"

using namespace mlir;

namespace ashlar {

// MLIR itself puts nothing into an error's metadata, so that an integer there is a code.
static std::optional<ErrorCode> findCode(Diagnostic &error) {
  for (DiagnosticArgument &argument : error.getMetadata())
    if (argument.getKind() == DiagnosticArgument::DiagnosticArgumentKind::Integer)
      return static_cast<ErrorCode>(argument.getAsInteger());
  return std::nullopt;
}

void setCode(InFlightDiagnostic &error, ErrorCode code) {
  if (Diagnostic *diagnostic = error.getUnderlyingDiagnostic()) {
    diagnostic->getMetadata().clear();
    diagnostic->getMetadata().push_back(DiagnosticArgument(static_cast<int>(code)));
  }
}

InFlightDiagnostic emitError(Location loc, ErrorCode code) {
  InFlightDiagnostic error = mlir::emitError(loc);
  setCode(error, code);
  return error;
}

InFlightDiagnostic emitError(Location loc, const absl::Status &status) {
  InFlightDiagnostic error = emitError(loc, CodeOf(status));
  error << std::string(Message(status));
  return error;
}

ErrorCodes::ErrorCodes(MLIRContext &context, ErrorCode stage)
    : stage(stage), handler(&context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error) {
          last = findCode(diagnostic).value_or(this->stage);
          diagnostic << " [" << ErrorName(*last) << "]";
        }
        return failure(); // the older handler prints it
      }) {}

} // namespace ashlar
