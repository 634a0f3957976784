// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays in NumPy's .npy files: floats of 2, 4 and 8 bytes, integers of 1, 4 and 8, booleans; little endian, row-major.

#ifndef ASHLAR_COMPILER_INTERPRETER_NPY_H
#define ASHLAR_COMPILER_INTERPRETER_NPY_H

#include "compiler/Interpreter/Array.h"
#include "llvm/Support/Error.h"

namespace ashlar::interpreter {

/// Reads a file. The element type is the file's (f16, f32, f64, i8, i32, i64, i1).
llvm::Expected<Array> readNpy(mlir::MLIRContext *context, llvm::StringRef path);

/// Writes a file: f64 as `<f8`, other floats as `<f4`, integers as `<i8`, i1 as `|b1`.
llvm::Error writeNpy(llvm::StringRef path, const Array &array);

} // namespace ashlar::interpreter

#endif
