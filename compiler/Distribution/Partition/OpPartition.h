// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds one op on a rank's part of its operands.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PARTITION_OPPARTITION_H
#define ASHLAR_COMPILER_DISTRIBUTION_PARTITION_OPPARTITION_H

#include "compiler/Distribution/Factors.h"
#include "dialects/Dist/LocalTypes.h"
#include "dialects/Graph/GraphPaths.h"

namespace ashlar::distribution {

/// Builds the local form of `op` at the builder: a copy of it with local types, or what its
/// PartitionOpInterface makes where it has to be asked. Results of reduced factors are partial.
/// Values on the way get paths of their own below the op's; `onCollective` hears of each collective
/// among them. Fails with an error where the op cannot be cut so.
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
buildLocal(mlir::Operation *op, const graph::ShardingRule &rule, const FactorAxes &axes,
           mlir::ValueRange operands, mlir::OpBuilder &builder, dist::LocalTypes &types,
           graph::PathTable &paths,
           llvm::function_ref<void(dist::CollectiveOpInterface)> onCollective);

} // namespace ashlar::distribution

#endif
