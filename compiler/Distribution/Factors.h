// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between the shardings of an op's tensors and the axes of its factors (dialects/Graph/
// ShardingRule.h). A tensor's dimension of factors [h w] cut by {tp} gives tp to h, as far as h
// divides; w only gets axes once h is cut to single elements, because anything else would not be
// one run of indices per rank.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_FACTORS_H
#define ASHLAR_COMPILER_DISTRIBUTION_FACTORS_H

#include "dialects/Dist/Dist.h"
#include "dialects/Graph/Graph.h"

namespace ashlar::distribution {

/// The axes that cut each factor of an op.
using FactorAxes = llvm::SmallVector<dist::Axes>;

/// What a tensor's sharding says about the factors. Axes that no factor can take are left out.
FactorAxes getFactorAxes(const graph::ShardingRule &rule,
                         const graph::ShardingRule::TensorFactors &tensor,
                         const dist::Sharding &sharding);

/// The sharding of a tensor under these axes; closed, without partial axes.
dist::Sharding getTensorSharding(const graph::ShardingRule &rule,
                                 const graph::ShardingRule::TensorFactors &tensor,
                                 const FactorAxes &axes);

/// Whether the factor may be cut by these axes at all: not marked as whole, and even where it must.
bool mayCut(const graph::ShardingRule::Factor &factor, llvm::ArrayRef<dist::Axis> axes);

/// Takes away axes until every tensor of the rule can be cut so: minor factors of a dimension have
/// axes only behind major ones that are cut to single elements, and no axis cuts two factors.
void makeValid(const graph::ShardingRule &rule, FactorAxes &axes);

/// The rule of an op, or, where it has none, one in which every dimension stays whole.
graph::ShardingRule getRule(mlir::Operation *op);

} // namespace ashlar::distribution

#endif
