// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How one op is cut, given how its operands lie and how its results are wanted.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PARTITION_CHOICE_H
#define ASHLAR_COMPILER_DISTRIBUTION_PARTITION_CHOICE_H

#include "compiler/Distribution/Costs.h"

namespace ashlar::distribution {

/// The sharding of a result before it is brought to where it is wanted: under the axes of its
/// factors, partial over those of reduced ones.
dist::Sharding getProduced(const graph::ShardingRule &rule,
                           const graph::ShardingRule::TensorFactors &result,
                           const FactorAxes &axes);

/// Where a produced result goes: as wanted, where open dimensions keep what they have anyway.
dist::Sharding getTarget(const dist::Sharding &produced, const dist::Sharding &wanted);

/// Chooses the axes of the factors. Those of a cache are cut as it lies. The candidates follow one
/// tensor first, then the others as far as they agree, or nobody; the one with the least time of
/// collectives and arithmetic wins, an earlier one (results before operands) among equals.
FactorAxes chooseFactorAxes(mlir::Operation *op, const graph::ShardingRule &rule,
                            llvm::ArrayRef<dist::Sharding> operands,
                            llvm::ArrayRef<dist::Sharding> wanted, Costs &costs);

} // namespace ashlar::distribution

#endif
