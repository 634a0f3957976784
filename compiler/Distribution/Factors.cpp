// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Factors.h"

#include <numeric>

using namespace mlir;
using namespace ashlar::dist;
using ashlar::graph::Dim;
using ashlar::graph::ShardingRule;

namespace ashlar::distribution {

bool mayCut(const ShardingRule::Factor &factor, ArrayRef<Axis> axes) {
  if (axes.empty())
    return true;
  if (factor.cut == ShardingRule::Cut::Never)
    return false;
  return !factor.even || (factor.size.isNumber() && factor.size.size % getParts(axes) == 0);
}

/// Whether parts of a factor are single elements under these axes.
static bool isExhausted(const ShardingRule::Factor &factor, ArrayRef<Axis> axes) {
  return factor.size.isNumber() && factor.size.size == getParts(axes);
}

FactorAxes getFactorAxes(const ShardingRule &rule, const ShardingRule::TensorFactors &tensor,
                         const Sharding &sharding) {
  FactorAxes result(rule.factors.size());
  for (auto [factors, dim] : llvm::zip(tensor, sharding.dims)) {
    Axes left = dim.axes;
    for (unsigned number : factors) {
      const ShardingRule::Factor &factor = rule.factors[number];
      // A factor of its own dimension takes what there is, also unevenly; among several each takes
      // whole elements of the next one.
      bool alone = factors.size() == 1;
      Axes &mine = result[number];
      while (!left.empty()) {
        Axis axis = left.front();
        if (!alone || factor.even) {
          int64_t room = factor.size.isNumber() ? factor.size.size / getParts(mine) : 1;
          axis.size = std::gcd(room, axis.size);
          if (axis.size == 1 || factor.size.size % (getParts(mine) * axis.size) != 0)
            break;
        }
        mine.push_back(axis);
        Axis &rest = left.front();
        if (axis.size == rest.size) {
          left.erase(left.begin());
          continue;
        }
        rest = {rest.name, rest.pre * axis.size, rest.size / axis.size};
        break;
      }
      mine = merge(mine);
      if (!isExhausted(factor, mine))
        break;
    }
  }
  for (auto [factor, axes] : llvm::zip(rule.factors, result))
    if (!mayCut(factor, axes))
      axes.clear();
  return result;
}

Sharding getTensorSharding(const ShardingRule &rule, const ShardingRule::TensorFactors &tensor,
                           const FactorAxes &axes) {
  Sharding sharding(tensor.size());
  for (auto [factors, dim] : llvm::zip(tensor, sharding.dims)) {
    for (unsigned number : factors)
      dim.axes.append(axes[number]);
    dim.axes = merge(dim.axes);
  }
  return sharding;
}

void makeValid(const ShardingRule &rule, FactorAxes &axes) {
  Axes seen;
  for (auto [factor, mine] : llvm::zip(rule.factors, axes)) {
    if (!mayCut(factor, mine) || overlaps(seen, mine))
      mine.clear();
    seen.append(mine);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto &tensor :
         llvm::concat<const ShardingRule::TensorFactors>(rule.operands, rule.results))
      for (const ShardingRule::DimFactors &factors : tensor) {
        bool open = true; // whether the next factor may have axes
        for (unsigned number : factors) {
          const ShardingRule::Factor &factor = rule.factors[number];
          bool divides = factors.size() == 1 ||
                         (factor.size.isNumber() && factor.size.size % getParts(axes[number]) == 0);
          if (!axes[number].empty() && (!open || !divides)) {
            axes[number].clear();
            changed = true;
          }
          open &= isExhausted(factor, axes[number]);
        }
      }
  }
}

ShardingRule getRule(Operation *op) {
  if (auto known = dyn_cast<graph::ShardingRuleOpInterface>(op))
    return known.getShardingRule();
  ShardingRule rule;
  auto rankOf = [](Value value) -> size_t {
    auto tensor = dyn_cast<RankedTensorType>(value.getType());
    return tensor ? tensor.getRank() : isa<graph::CacheType>(value.getType()) ? 4 : 0;
  };
  for (Value operand : op->getOperands())
    rule.operands.emplace_back(rankOf(operand));
  for (Value result : op->getResults())
    rule.results.emplace_back(rankOf(result));
  return rule;
}

} // namespace ashlar::distribution
