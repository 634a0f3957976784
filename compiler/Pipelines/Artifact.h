// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a lowered module and its code to the artifact's metadata: one record per op, nothing
// decided.

#ifndef ASHLAR_COMPILER_PIPELINES_ARTIFACT_H
#define ASHLAR_COMPILER_PIPELINES_ARTIFACT_H

#include "codegen/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "runtime/program/artifact_generated.h"

#include <string>
#include <vector>

namespace ashlar {

/// What an artifact is made of, besides embedded weights.
struct ArtifactContents {
  fb::ProgramT program;
  std::string code;
  std::string constants;
};

/// The stored element type of a checkpoint's tensor; the kernels' own where there is no checkpoint.
using StoredType = std::function<fb::DType(llvm::StringRef tensor, fb::DType otherwise)>;

/// Fills everything that follows from the module: dims, kernels, weights, states, entries, images
/// and constants. `images` hold the module's program.kernel ops in their order.
ArtifactContents buildArtifact(mlir::ModuleOp module, const std::vector<CodeImage> &images,
                               const StoredType &storedType);

/// The bodies of the module's kernels, in order.
llvm::SmallVector<mlir::func::FuncOp> getKernelBodies(mlir::ModuleOp module);

} // namespace ashlar

#endif
