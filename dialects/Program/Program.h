// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program dialect: the artifact as IR. See README.md for the rationale and ProgramOps.td for
// the ops.

#ifndef ASHLAR_DIALECTS_PROGRAM_PROGRAM_H
#define ASHLAR_DIALECTS_PROGRAM_PROGRAM_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"

#include "dialects/Program/ProgramDialect.h.inc"
#include "dialects/Program/ProgramEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Program/ProgramAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/Program/ProgramOps.h.inc"

namespace ashlar::program {

/// Checks a lowered module as a whole: operands lie in their spaces, every launch fits its kernel,
/// and every byte of the arena that is read was written before, by one launch or input, and not
/// overwritten since. Emits errors.
mlir::LogicalResult verifyProgram(mlir::ModuleOp module);

} // namespace ashlar::program

#endif
