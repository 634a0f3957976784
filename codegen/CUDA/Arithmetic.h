// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The formula of an elementwise op as C++: what ElementwiseOpInterface builds in the arith and math
// dialects, printed operation by operation, so that a new op needs nothing here.

#ifndef ASHLAR_CODEGEN_CUDA_ARITHMETIC_H
#define ASHLAR_CODEGEN_CUDA_ARITHMETIC_H

#include "codegen/CUDA/Code.h"
#include "mlir/IR/Attributes.h"
#include "mlir/IR/Operation.h"

namespace ashlar::cuda {

/// How an element of this type lies in memory ("bf16", "uint8" for i1) and how it is computed with
/// ("float", "bool").
llvm::StringRef getMemoryType(mlir::Type element);
llvm::StringRef getValueType(mlir::Type element);

/// A number as a literal of its value type.
std::string getLiteral(mlir::TypedAttr number);

/// Writes the computation of one element of `op` from those of its operands; returns the name that
/// holds it. The op is an ElementwiseOpInterface whose element types are not f64.
std::string writeElement(Code &code, mlir::Operation *op, llvm::ArrayRef<std::string> elements);

} // namespace ashlar::cuda

#endif
