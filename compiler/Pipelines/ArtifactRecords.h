// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parts of the artifact's metadata: one record of the schema for one op or attribute.

#ifndef ASHLAR_COMPILER_PIPELINES_ARTIFACTRECORDS_H
#define ASHLAR_COMPILER_PIPELINES_ARTIFACTRECORDS_H

#include "codegen/Target.h"
#include "dialects/Program/Program.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

/// The numbers by which extents name dimensions: the program's, or a kernel's own extents.
using DimIndices = llvm::DenseMap<mlir::StringAttr, uint16_t>;
DimIndices getExtents(program::KernelOp kernel);

fb::DType toDType(mlir::Type type);
fb::ExtentT toExtent(program::ExtentAttr attr, const DimIndices &indices);
std::vector<std::unique_ptr<fb::ExtentT>> toExtents(mlir::ArrayAttr attrs,
                                                    const DimIndices &indices);
/// From pairs of numbers.
std::vector<fb::Cut> toCuts(llvm::ArrayRef<int64_t> pairs);

/// The image of a device's code, which begins at this offset of the artifact's code; its kernels
/// are the module's program.kernel ops in their order.
std::unique_ptr<fb::DeviceImageT> toDeviceImage(mlir::ModuleOp module, const CodeImage &code,
                                                uint64_t offset);

} // namespace ashlar

#endif
