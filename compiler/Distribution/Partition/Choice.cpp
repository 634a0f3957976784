// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Partition/Choice.h"

using namespace mlir;
using namespace ashlar::dist;
using ashlar::graph::ShardingRule;

namespace ashlar::distribution {

Sharding getProduced(const ShardingRule &rule, const ShardingRule::TensorFactors &result,
                     const FactorAxes &axes) {
  Sharding produced = getTensorSharding(rule, result, axes);
  for (auto [factor, mine] : llvm::zip(rule.factors, axes)) {
    if (factor.combine == ShardingRule::Combine::None || mine.empty())
      continue;
    produced.reduction = static_cast<Reduction>(factor.combine);
    produced.partial.append(mine);
  }
  return produced;
}

Sharding getTarget(const Sharding &produced, const Sharding &wanted) {
  Sharding target = wanted.getClosed();
  for (auto [d, dim] : llvm::enumerate(wanted.dims)) {
    const Axes &has = produced.dims[d].axes;
    if (!dim.isOpen || !startsWith(has, dim.axes))
      continue;
    Axes others = target.partial;
    for (auto [e, other] : llvm::enumerate(target.dims))
      if (e != d)
        others.append(other.axes);
    if (!overlaps(others, has))
      target.dims[d].axes = has;
  }
  return target;
}

namespace {

double getSeconds(Operation *op, const ShardingRule &rule, ArrayRef<Sharding> operands,
                  ArrayRef<Sharding> wanted, const FactorAxes &axes, Costs &costs) {
  double seconds = costs.getOpSeconds(op, rule, axes);
  for (auto [value, factors, has] : llvm::zip(op->getOperands(), rule.operands, operands))
    seconds +=
        costs.getReshardSeconds(value.getType(), has, getTensorSharding(rule, factors, axes));
  for (auto [value, factors, want] : llvm::zip(op->getResults(), rule.results, wanted)) {
    Sharding produced = getProduced(rule, factors, axes);
    seconds += costs.getReshardSeconds(value.getType(), produced, getTarget(produced, want));
  }
  return seconds;
}

} // namespace

FactorAxes chooseFactorAxes(Operation *op, const ShardingRule &rule, ArrayRef<Sharding> operands,
                            ArrayRef<Sharding> wanted, Costs &costs) {
  SmallVector<FactorAxes> views;
  for (auto [factors, sharding] : llvm::zip(rule.results, wanted))
    views.push_back(getFactorAxes(rule, factors, sharding));
  for (auto [factors, sharding] : llvm::zip(rule.operands, operands))
    views.push_back(getFactorAxes(rule, factors, sharding));
  // A cache stays where it is.
  for (auto [value, factors, sharding] : llvm::zip(op->getOperands(), rule.operands, operands)) {
    if (!isa<graph::CacheType>(value.getType()))
      continue;
    const FactorAxes cache = getFactorAxes(rule, factors, sharding);
    for (const auto &dim : factors)
      for (unsigned factor : dim)
        for (FactorAxes &view : views)
          view[factor] = cache[factor];
  }

  SmallVector<FactorAxes> candidates;
  for (size_t first = 0; first < views.size(); ++first) {
    FactorAxes axes = views[first];
    makeValid(rule, axes);
    for (const FactorAxes &view : views)
      for (unsigned factor = 0; factor < axes.size(); ++factor) {
        if (!axes[factor].empty() || view[factor].empty())
          continue;
        FactorAxes more = axes;
        more[factor] = view[factor];
        makeValid(rule, more);
        FactorAxes expected = axes;
        expected[factor] = view[factor];
        if (more == expected) // nothing else had to go for it
          axes = std::move(more);
      }
    if (!llvm::is_contained(candidates, axes))
      candidates.push_back(std::move(axes));
  }
  FactorAxes nobody(rule.factors.size());
  if (!llvm::is_contained(candidates, nobody))
    candidates.push_back(nobody);

  size_t best = 0;
  double least = INFINITY;
  for (auto [i, axes] : llvm::enumerate(candidates)) {
    double seconds =
        candidates.size() == 1 ? 0 : getSeconds(op, rule, operands, wanted, axes, costs);
    if (seconds < least) {
      least = seconds;
      best = i;
    }
  }
  return candidates[best];
}

} // namespace ashlar::distribution
