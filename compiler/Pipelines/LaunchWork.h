// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a launch does, for the cost model: operations, evaluations and bytes.

#ifndef ASHLAR_COMPILER_PIPELINES_LAUNCHWORK_H
#define ASHLAR_COMPILER_PIPELINES_LAUNCHWORK_H

#include "dialects/Graph/Graph.h"
#include "dialects/Program/Program.h"

namespace ashlar {

/// By kind (program.work), as polynomials of the extents; `operands` are the places of the launch's
/// inputs and results.
mlir::ArrayAttr getWork(graph::FusedOp fused, mlir::ArrayRef<mlir::Attribute> operands);

} // namespace ashlar

#endif
