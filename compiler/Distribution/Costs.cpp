// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Costs.h"

#include "dialects/Dist/LocalTypes.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::distribution {

int64_t Costs::getBound(StringAttr name) {
  if (auto found = extents.find(name); found != extents.end())
    return found->second;
  graph::DimOp &dim = dims[name];
  if (!dim)
    dim = module.lookupSymbol<graph::DimOp>(name);
  if (!dim)
    return 1;
  auto local = dim->getAttrOfType<LocalDimAttr>(kLocalAttr);
  auto whole = local ? dyn_cast<FlatSymbolRefAttr>(local.getWhole()) : FlatSymbolRefAttr();
  if (whole && extents.count(whole.getAttr()))
    return llvm::divideCeil(extents.lookup(whole.getAttr()),
                            getParts(getAxes(local.getAxes(), mesh)));
  return static_cast<int64_t>(dim.getMaximum());
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

double Costs::getBytes(CollectiveOpInterface op) {
  auto bytes = [&](Type type) {
    auto tensor = dyn_cast_or_null<RankedTensorType>(type);
    return tensor ? getBytes(tensor, Sharding(tensor.getRank())) : 0;
  };
  Value input = op.getInput();
  return std::max(bytes(op.getOutputType()), bytes(input ? input.getType() : Type()));
}

double Costs::getSeconds(CollectiveOpInterface op) {
  if (isa<RecvOp>(op))
    return 0;
  auto kind = llvm::TypeSwitch<Operation *, CollectiveKind>(op)
                  .Case<AllReduceOp>([](auto) { return CollectiveKind::AllReduce; })
                  .Case<ReduceScatterOp>([](auto) { return CollectiveKind::ReduceScatter; })
                  .Case<AllGatherOp>([](auto) { return CollectiveKind::AllGather; })
                  .Case<AllToAllOp>([](auto) { return CollectiveKind::AllToAll; })
                  .Case<BroadcastOp>([](auto) { return CollectiveKind::Broadcast; })
                  .Default([](auto) { return CollectiveKind::Permute; });
  return getSeconds(kind, getBytes(op), getAxes(op.getAxes(), mesh));
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
  double seconds = 0;
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
  return seconds + getComputeSeconds(op, rule, axes);
}

double Costs::getOpSeconds(Operation *op) {
  auto ruled = dyn_cast<graph::ShardingRuleOpInterface>(op);
  if (!ruled)
    return mesh.flops > 0 ? getFlops(op) / mesh.flops : 0;
  graph::ShardingRule rule = ruled.getShardingRule();
  return getComputeSeconds(op, rule, FactorAxes(rule.factors.size()));
}

bool Costs::isStored(Value value) {
  if (isa<graph::CacheType>(value.getType()))
    return true;
  Operation *maker = value.getDefiningOp();
  if (auto read = dyn_cast_or_null<graph::ReadOp>(maker))
    return symbols.lookupNearestSymbolFrom<graph::StateOp>(read, read.getStateAttr()).getRole() ==
           graph::StateRole::Parameter;
  return maker && maker->getNumOperands() > 0 &&
         llvm::all_of(maker->getOperands(), [&](Value operand) { return isStored(operand); });
}

double Costs::getStoredBytes(Operation *op, const graph::ShardingRule &rule,
                             const FactorAxes &axes) {
  auto cost = dyn_cast<graph::CostOpInterface>(op);
  if (!cost)
    return 0;
  double sum = 0;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    if (!isStored(operand))
      continue;
    double bytes = cost.getBytesRead(i).evaluate([&](StringAttr name) { return getBound(name); });
    // A cache has room for more sequences than a step may have.
    if (auto cache = dyn_cast<graph::CacheType>(operand.getType()))
      for (unsigned factor : rule.operands[i][0])
        bytes *= std::min(1.0, getSize(rule.factors[factor].size) /
                                   static_cast<double>(cache.getShape()[0]));
    for (const auto &dim : rule.operands[i])
      for (unsigned factor : dim)
        if (!axes[factor].empty())
          bytes *= getLargestPart(getSize(rule.factors[factor].size), axes[factor]);
    sum += bytes;
  }
  return sum;
}

double Costs::getComputeSeconds(Operation *op, const graph::ShardingRule &rule,
                                const FactorAxes &axes) {
  double arithmetic = 0, reading = 0;
  if (mesh.flops > 0) {
    double part = 1;
    for (auto [factor, each] : llvm::zip(rule.factors, axes))
      if (!each.empty())
        part *= getLargestPart(getSize(factor.size), each);
    arithmetic = getFlops(op) * part / mesh.flops;
  }
  if (mesh.memory > 0)
    reading = getStoredBytes(op, rule, axes) / mesh.memory;
  return std::max(arithmetic, reading);
}

void forEachEntry(ModuleOp module,
                  llvm::function_ref<void(func::FuncOp, Costs &, const Mesh &)> run) {
  MeshOp meshOp = findMesh(module);
  if (!meshOp)
    return;
  const Mesh mesh = meshOp.getMesh();
  Costs costs(module, mesh);
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(graph::kEntryAttr))
      run(function, costs, mesh);
}

} // namespace ashlar::distribution
