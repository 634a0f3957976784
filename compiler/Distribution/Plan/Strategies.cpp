// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/Strategies.h"

#include "compiler/Distribution/Partition/Choice.h"
#include "compiler/Distribution/Plan/Conventions.h"

using namespace mlir;
using namespace ashlar::dist;
using ashlar::graph::ShardingRule;

namespace ashlar::distribution {
namespace {

/// Calls `visit(choice)` with a place in [0, places] for each of `count` axes; `places` is none.
template <typename Visit>
void forEachAssignment(size_t count, size_t places, Visit visit) {
  SmallVector<size_t> choice(count, places);
  while (true) {
    visit(choice);
    size_t i = 0;
    while (i < count && choice[i] == 0)
      choice[i++] = places;
    if (i == count)
      return;
    --choice[i];
  }
}

Axes getWholeAxes(const Mesh &mesh) {
  Axes axes;
  for (const MeshAxis &axis : mesh.axes)
    if (axis.size > 1 && axis.name != kStageAxis)
      axes.push_back(mesh.getWhole(axis.name));
  return axes;
}

/// Whether a dimension can be cut so: each rank gets something, or it may be the sequences of a
/// batch, cut over the axis for them, as the conventions have it, which leaves ranks idle.
bool canCut(double extent, bool mayBeBatch, ArrayRef<Axis> axes) {
  return extent >= static_cast<double>(getParts(axes)) ||
         (mayBeBatch && axes.size() == 1 && axes.front().name == kDataAxis);
}

/// A dimension with a name, or the first one of a cache: which of the names counts sequences an op
/// does not know.
bool mayBeBatch(Type type, unsigned dim) {
  return isa<graph::CacheType>(type)
             ? dim == 0
             : !graph::getDims(cast<RankedTensorType>(type))[dim].isNumber();
}
bool mayBeBatch(Operation *op, const ShardingRule &rule, unsigned factor) {
  auto hasCache = [&](auto operand) {
    auto [value, factors] = operand;
    return isa<graph::CacheType>(value.getType()) && llvm::is_contained(factors[0], factor);
  };
  return !rule.factors[factor].size.isNumber() ||
         llvm::any_of(llvm::zip(op->getOperands(), rule.operands), hasCache);
}

/// Whether a sharding is one that was asked for.
bool fits(const Sharding &sharding, const Sharding &wanted) {
  for (auto [has, want] : llvm::zip(sharding.dims, wanted.dims))
    if (want.isOpen ? !startsWith(has.axes, want.axes) : has.axes != want.axes)
      return false;
  return true;
}

} // namespace

std::vector<Sharding> getTensorStrategies(Type type, const Sharding &wanted, const Mesh &mesh,
                                          Costs &costs) {
  Axes axes = getWholeAxes(mesh);
  std::vector<Sharding> strategies;
  forEachAssignment(axes.size(), wanted.dims.size(), [&](ArrayRef<size_t> choice) {
    Sharding sharding(wanted.dims.size());
    for (auto [axis, dim] : llvm::zip(axes, choice))
      if (dim < sharding.dims.size())
        sharding.dims[dim].axes.push_back(axis);
    for (auto [d, dim] : llvm::enumerate(sharding.dims))
      if (!canCut(static_cast<double>(costs.getExtent(type, d)), mayBeBatch(type, d), dim.axes))
        return;
    if (fits(sharding, wanted))
      strategies.push_back(std::move(sharding));
  });
  if (strategies.empty())
    strategies.push_back(wanted.getClosed()); // what was asked for is in parts of axes
  return strategies;
}

std::vector<OpStrategy> getOpStrategies(Operation *op, const ShardingRule &rule,
                                        ArrayRef<Sharding> wanted, const Mesh &mesh, Costs &costs) {
  Axes axes = getWholeAxes(mesh);
  std::vector<OpStrategy> strategies;
  std::vector<FactorAxes> seen;
  auto addVariants = [&](const OpStrategy &reduced) {
    auto add = [&](const OpStrategy &strategy) {
      for (auto [has, want] : llvm::zip(strategy.results, wanted))
        if (!fits(has, want))
          return;
      strategies.push_back(strategy);
    };
    add(reduced);
    for (size_t r = 0; r < reduced.produced.size(); ++r)
      for (size_t d = 0;
           !reduced.produced[r].partial.empty() && d < reduced.produced[r].dims.size(); ++d) {
        OpStrategy scattered = reduced;
        Axes &cut = scattered.results[r].dims[d].axes;
        cut.append(reduced.produced[r].partial);
        if (costs.getExtent(op->getResult(r).getType(), d) >= getParts(cut))
          add(scattered);
      }
  };
  forEachAssignment(axes.size(), rule.factors.size(), [&](ArrayRef<size_t> choice) {
    OpStrategy strategy;
    strategy.axes.resize(rule.factors.size());
    for (auto [axis, factor] : llvm::zip(axes, choice))
      if (factor < rule.factors.size())
        strategy.axes[factor].push_back(axis);
    for (auto [f, cut] : llvm::enumerate(strategy.axes))
      if (!canCut(costs.getSize(rule.factors[f].size), mayBeBatch(op, rule, f), cut))
        return;
    makeValid(rule, strategy.axes);
    if (llvm::is_contained(seen, strategy.axes))
      return;
    seen.push_back(strategy.axes);
    for (const auto &factors : rule.operands)
      strategy.operands.push_back(getTensorSharding(rule, factors, strategy.axes));
    for (const auto &factors : rule.results) {
      strategy.produced.push_back(getProduced(rule, factors, strategy.axes));
      strategy.results.push_back(getTensorSharding(rule, factors, strategy.axes));
    }
    addVariants(strategy);
  });
  if (!strategies.empty())
    return strategies;
  // What is wanted is in parts of axes, or against the rule: compute it whole and bring it there.
  OpStrategy whole;
  whole.axes.resize(rule.factors.size());
  for (const auto &factors : rule.operands)
    whole.operands.push_back(Sharding(factors.size()));
  for (const Sharding &want : wanted) {
    whole.produced.push_back(Sharding(want.dims.size()));
    whole.results.push_back(want.getClosed());
  }
  return {whole};
}

} // namespace ashlar::distribution
