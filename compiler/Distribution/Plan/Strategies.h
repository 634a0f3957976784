// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The ways in which a tensor can lie on a mesh, and an op be computed on it, by whole axes. What a
// planner chooses from.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PLAN_STRATEGIES_H
#define ASHLAR_COMPILER_DISTRIBUTION_PLAN_STRATEGIES_H

#include "compiler/Distribution/Costs.h"
#include "compiler/Distribution/Shardings.h"

namespace ashlar::distribution {

/// Every sharding of a tensor that gives each axis to one dimension, or to none. Dimensions with
/// fewer elements (at their bound) than parts are left out, but for named ones over dp, which may
/// be the sequences of a batch. Those that `wanted` excludes are not in it: closed dimensions stay
/// as they are, open ones may get more. Never empty.
std::vector<dist::Sharding> getTensorStrategies(mlir::Type type, const dist::Sharding &wanted,
                                                const dist::Mesh &mesh, Costs &costs);

/// One way to compute an op.
struct OpStrategy {
  FactorAxes axes;
  std::vector<dist::Sharding> operands; // as they are needed
  std::vector<dist::Sharding> produced; // of the results, partial ones among them
  std::vector<dist::Sharding> results;  // where they are brought: reduced, or reduced and scattered
};

/// Every assignment of axes to factors, or to none, that the rule allows and that leaves no rank
/// without a part, but for named factors over dp; where results are partial, once reduced and once
/// per dimension that they can be scattered along. `wanted` as above, per result.
std::vector<OpStrategy> getOpStrategies(mlir::Operation *op, const graph::ShardingRule &rule,
                                        llvm::ArrayRef<dist::Sharding> wanted,
                                        const dist::Mesh &mesh, Costs &costs);

} // namespace ashlar::distribution

#endif
