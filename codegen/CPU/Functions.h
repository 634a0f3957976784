// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions that kernels of one image share.

#ifndef ASHLAR_CODEGEN_CPU_FUNCTIONS_H
#define ASHLAR_CODEGEN_CPU_FUNCTIONS_H

#include "codegen/CPU/Emitter.h"
#include "mlir/IR/BuiltinOps.h"

namespace ashlar::cpu {

/// Calls the function of this name, which is not inlined; where the module has none yet, its body
/// is emitted from its arguments. Pointers among them do not alias.
void callFunction(Emitter &e, mlir::ModuleOp module, const llvm::Twine &name,
                  mlir::ValueRange arguments, llvm::function_ref<void(mlir::ValueRange)> emitBody);

} // namespace ashlar::cpu

#endif
