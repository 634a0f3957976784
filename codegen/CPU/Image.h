// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From kernels in MLIR to a flat image: LLVM compiles them in this process, and a small linker lays
// code and constants behind each other. The image is position-independent and complete: it has no
// relocations left, no undefined symbols and no writable data, so that the runtime maps it and
// calls it. Anything else is an error here.

#ifndef ASHLAR_CODEGEN_CPU_IMAGE_H
#define ASHLAR_CODEGEN_CPU_IMAGE_H

#include "codegen/CPU/CpuTarget.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/CodeGen.h"

namespace ashlar::cpu {

/// Compiles a module as compileToImage() does, into an object or assembly.
mlir::LogicalResult compileToFile(mlir::ModuleOp module, const CpuModel &model,
                                  llvm::CodeGenFileType type,
                                  llvm::SmallVectorImpl<char> &contents);

/// Compiles a module of LLVM functions (bodies in arith, math, vector, scf and LLVM ops; it is
/// lowered in place) for a CPU. `names` are the entry points, in the order of the image's entries.
mlir::FailureOr<CodeImage> compileToImage(mlir::ModuleOp module, const CpuModel &model,
                                          llvm::ArrayRef<std::string> names);

} // namespace ashlar::cpu

#endif
