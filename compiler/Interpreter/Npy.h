// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays in NumPy's .npy files (see runtime/npy for what is read).

#ifndef ASHLAR_COMPILER_INTERPRETER_NPY_H
#define ASHLAR_COMPILER_INTERPRETER_NPY_H

#include "compiler/Interpreter/Array.h"
#include "llvm/Support/Error.h"

namespace ashlar::interpreter {

/// Reads a file: floats keep their type, booleans are i1, other integers i64.
llvm::Expected<Array> readNpy(mlir::MLIRContext *context, llvm::StringRef path);

/// Writes a file: f64 as f64, other floats as f32, i1 as bool, other integers as i64.
llvm::Error writeNpy(llvm::StringRef path, const Array &array);

} // namespace ashlar::interpreter

#endif
