// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Costs.h"

#include "dialects/Dist/LocalTypes.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::distribution {

int64_t Costs::getBound(StringAttr name) {
  auto dim = module.lookupSymbol<graph::DimOp>(name);
  return dim ? static_cast<int64_t>(dim.getMaximum()) : 1;
}

int64_t Costs::getExtent(Type type, unsigned dim) {
  if (auto cache = dyn_cast<graph::CacheType>(type))
    return cache.getShape()[dim];
  return static_cast<int64_t>(getSize(graph::getDims(cast<RankedTensorType>(type))[dim]));
}

double Costs::getSize(const graph::Dim &dim) {
  return static_cast<double>(dim.isNumber() ? dim.size : getBound(dim.name));
}

/// The share of a dimension that the rank with most of it has: 8 rows over 5 ranks are 2 of 8.
static double getLargestPart(double extent, ArrayRef<Axis> axes) {
  return extent > 0 ? std::ceil(extent / static_cast<double>(getParts(axes))) / extent : 1;
}

double Costs::getBytes(Type whole, const Sharding &sharding) {
  double bytes =
      graph::getByteSize(whole).evaluate([&](StringAttr name) { return getBound(name); });
  for (auto [i, dim] : llvm::enumerate(sharding.dims))
    if (!dim.axes.empty())
      bytes *= getLargestPart(static_cast<double>(getExtent(whole, i)), dim.axes);
  return bytes;
}

/// The collective that a step is; a slice is none.
static std::optional<CollectiveKind> getKind(ReshardStep::Kind kind) {
  switch (kind) {
  case ReshardStep::Kind::AllReduce:
    return CollectiveKind::AllReduce;
  case ReshardStep::Kind::ReduceScatter:
    return CollectiveKind::ReduceScatter;
  case ReshardStep::Kind::AllGather:
    return CollectiveKind::AllGather;
  case ReshardStep::Kind::AllToAll:
    return CollectiveKind::AllToAll;
  case ReshardStep::Kind::AllSlice:
    return std::nullopt;
  }
  return std::nullopt;
}

double Costs::getSeconds(CollectiveKind kind, double bytes, ArrayRef<Axis> axes) {
  Link link{INFINITY, 0};
  for (const Axis &axis : axes) {
    const MeshAxis *along = mesh.find(axis.name);
    link.bandwidth = std::min(link.bandwidth, along->bandwidth);
    link.latency = std::max(link.latency, along->latency);
  }
  return getCollectiveSeconds(kind, bytes, getParts(axes), link);
}

StepCost Costs::getStep(Type whole, const Sharding &before, const ReshardStep &step) {
  auto kind = getKind(step.kind);
  if (!kind)
    return {};
  double bytes = std::max(getBytes(whole, before), getBytes(whole, step.result));
  return {bytes, getSeconds(*kind, bytes, step.axes)};
}

double Costs::getReshardSeconds(Type whole, const Sharding &from, const Sharding &to) {
  auto tensor = dyn_cast<RankedTensorType>(whole);
  SmallVector<int64_t> extents = tensor ? LocalTypes::getNumbers(tensor)
                                        : llvm::to_vector(cast<graph::CacheType>(whole).getShape());
  double seconds = 0;
  Sharding at = from;
  for (const ReshardStep &step : planReshard(from, to, extents)) {
    seconds += getStep(whole, at, step).seconds;
    at = step.result;
  }
  return seconds;
}

double Costs::getFlops(Operation *op) {
  auto cost = dyn_cast<graph::CostOpInterface>(op);
  return cost ? cost.getFlops().evaluate([&](StringAttr name) { return getBound(name); }) : 0;
}

double Costs::getOpSeconds(Operation *op, const graph::ShardingRule &rule, const FactorAxes &axes) {
  double seconds = 0, part = 1;
  for (const graph::ShardingRule::Combined &combined : rule.combined) {
    if (axes[combined.factor].empty())
      continue;
    double bytes = static_cast<double>(combined.elementBytes);
    for (const auto &factors : combined.tensor)
      for (unsigned factor : factors)
        bytes *= getSize(rule.factors[factor].size) *
                 getLargestPart(getSize(rule.factors[factor].size), axes[factor]);
    seconds += getSeconds(CollectiveKind::AllReduce, bytes, axes[combined.factor]);
  }
  if (mesh.flops <= 0)
    return seconds;
  for (auto [factor, each] : llvm::zip(rule.factors, axes))
    if (!each.empty())
      part *= getLargestPart(getSize(factor.size), each);
  return seconds + getFlops(op) * part / mesh.flops;
}

} // namespace ashlar::distribution
