// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Stages/Microbatches.h"

#include "compiler/Distribution/Schedule/Schedule.h"
#include "dialects/Graph/GraphPaths.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::distribution {
namespace {

using graph::Dim;
using graph::ShardingRule;

/// The dimension that tells a step's sequences apart, and what ranks hold of it.
class Batch {
public:
  explicit Batch(func::FuncOp entry) : module(entry->getParentOfType<ModuleOp>()) {
    auto type = entry.getNumArguments() > 0
                    ? dyn_cast<RankedTensorType>(entry.getArgument(0).getType())
                    : RankedTensorType();
    if (!type || type.getRank() == 0 || graph::getDims(type)[0].isNumber())
      return;
    op = module.lookupSymbol<graph::DimOp>(graph::getDims(type)[0].name);
    fewest = static_cast<int64_t>(op.getMaximum());
    for (auto dim : module.getOps<graph::DimOp>())
      if (isPart(dim))
        fewest = std::min(fewest, static_cast<int64_t>(dim.getMaximum()));
  }

  graph::DimOp getOp() { return op; }
  /// Of those that ranks hold, at the bound.
  int64_t getFewest() const { return fewest; }

  bool has(const Dim &dim) {
    if (dim.isNumber())
      return false;
    auto other = module.lookupSymbol<graph::DimOp>(dim.name);
    return other == op || (other && isPart(other));
  }
  /// Along how many dimensions a tensor has the batch.
  int64_t count(Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor ? llvm::count_if(graph::getDims(tensor), [&](const Dim &d) { return has(d); })
                  : 0;
  }

private:
  bool isPart(graph::DimOp dim) {
    auto local = dim->getAttrOfType<LocalDimAttr>(kLocalAttr);
    auto whole = local ? dyn_cast<FlatSymbolRefAttr>(local.getWhole()) : FlatSymbolRefAttr();
    return whole && whole.getAttr() == op.getSymNameAttr();
  }

  ModuleOp module;
  graph::DimOp op;
  int64_t fewest = 0;
};

/// The factors that the batch is, in an op's operands or results; a cache's first dimension are
/// the sequences. Nothing where a dimension of the batch has no factor.
std::optional<llvm::DenseSet<unsigned>> getFactors(Batch &batch, ValueRange values,
                                                   ArrayRef<ShardingRule::TensorFactors> tensors) {
  llvm::DenseSet<unsigned> factors;
  for (auto [value, tensor] : llvm::zip(values, tensors)) {
    if (isa<graph::CacheType>(value.getType()))
      factors.insert(tensor[0].begin(), tensor[0].end());
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      continue;
    for (auto [dim, of] : llvm::zip(graph::getDims(type), tensor)) {
      if (!batch.has(dim))
        continue;
      if (of.size() != 1)
        return std::nullopt;
      factors.insert(of.front());
    }
  }
  return factors;
}

/// Whether an op's elements tell which of the step's sequences they are of.
bool countsRows(Operation &op, Batch &batch) {
  if (auto origin = dyn_cast<ShardOriginOp>(op)) {
    auto name = dyn_cast<FlatSymbolRefAttr>(origin.getDim());
    return name && batch.has(Dim::named(name.getAttr()));
  }
  auto iota = dyn_cast<graph::IotaOp>(op);
  return iota && batch.has(graph::getDims(cast<RankedTensorType>(iota.getType()))[iota.getAxis()]);
}

/// Whether an op reads or writes a session's state that has no place for each sequence.
bool isOfAllRows(Operation &op, Batch &batch) {
  auto read = dyn_cast<graph::ReadOp>(op);
  auto write = dyn_cast<graph::WriteOp>(op);
  if (!read && !write)
    return false;
  auto state = SymbolTable::lookupNearestSymbolFrom<graph::StateOp>(
      &op, read ? read.getStateAttr() : write.getStateAttr());
  auto type = dyn_cast<RankedTensorType>(read ? read.getType() : write.getValue().getType());
  return state.getRole() != graph::StateRole::Parameter && type &&
         (type.getRank() == 0 || !batch.has(graph::getDims(type)[0]));
}

/// Whether an op computes each sequence from what it has of that sequence.
bool isByRow(Operation &op, Batch &batch) {
  if (countsRows(op, batch) || isOfAllRows(op, batch))
    return false;
  auto touches = [&](ValueRange values) {
    return llvm::any_of(values, [&](Value value) { return batch.count(value.getType()) > 0; });
  };
  if (!touches(op.getOperands()) && !touches(op.getResults()))
    return true;
  if (isa<graph::ReadOp, graph::WriteOp, func::ReturnOp>(op) || isa<CollectiveOpInterface>(op) ||
      isa<AllSliceOp>(op))
    return true;
  auto ruled = dyn_cast<graph::ShardingRuleOpInterface>(op);
  if (!ruled)
    return false;
  ShardingRule rule = ruled.getShardingRule();
  auto read = getFactors(batch, op.getOperands(), rule.operands),
       made = getFactors(batch, op.getResults(), rule.results);
  // Cut along a factor, a plain op gives on each part what it gives there of the whole.
  auto isApart = [&](unsigned factor) {
    return rule.factors[factor].cut == ShardingRule::Cut::Plain &&
           rule.factors[factor].combine == ShardingRule::Combine::None;
  };
  return read && made && llvm::all_of(*made, isApart) &&
         llvm::all_of(*read, [&](unsigned factor) { return made->contains(factor); });
}

std::string findObstacle(func::FuncOp entry, Batch &batch) {
  if (!batch.getOp())
    return "its first argument has no named dimension to split";
  std::string name = batch.getOp().getSymName().str();
  if (batch.getOp().getMinimum() > 1)
    return "'" + name + "' has at least " + std::to_string(batch.getOp().getMinimum()) +
           " elements, and a microbatch may have one; give it bounds from 1";
  for (BlockArgument argument : entry.getArguments())
    if (batch.count(argument.getType()) > 1)
      return "an argument has '" + name + "' along several dimensions";
  for (Operation &op : entry.getBody().front())
    if (!isByRow(op, batch)) {
      llvm::StringRef path = graph::getPath(op.getLoc());
      return (op.getName().getStringRef() + (path.empty() ? "" : " of '" + path + "'") +
              " does not compute each element of '" + name + "' by itself")
          .str();
    }
  for (Value result : entry.getBody().front().getTerminator()->getOperands())
    if (batch.count(result.getType()) != 1)
      return "result '" + graph::getPath(result.getLoc()).str() + "' does not have '" + name +
             "' along one dimension";
  return "";
}

} // namespace

BatchBounds getBatchBounds(func::FuncOp entry) {
  Batch batch(entry);
  if (!findObstacle(entry, batch).empty())
    return {};
  return {batch.getOp().getSymNameAttr(), static_cast<int64_t>(batch.getOp().getMaximum()),
          std::min(batch.getFewest(), kMostMicrobatches)};
}

MicrobatchPlan planMicrobatches(func::FuncOp entry, StageAssignment &assignment,
                                llvm::function_ref<double()> messages, int64_t most) {
  const Pipeline &pipeline = assignment.getPipeline();
  MicrobatchPlan best;
  Batch batch(entry);
  best.obstacle = findObstacle(entry, batch);
  int64_t whole = 1, largest = 1;
  if (best.obstacle.empty()) {
    best.batch = batch.getOp().getSymNameAttr();
    whole = static_cast<int64_t>(batch.getOp().getMaximum());
    largest = std::min(batch.getFewest(), most > 0 ? most : kMostMicrobatches);
    largest = std::min(largest, kMostMicrobatches);
  }
  // What someone asks for is not weighed against less.
  for (int64_t count = most > 0 ? largest : 1; count <= largest;
       count = count < largest ? std::min(2 * count, largest) : count + 1) {
    if (best.batch)
      assignment.setExtent(best.batch, llvm::divideCeil(whole, count));
    schedule::Costs costs;
    for (int64_t stage = 0; stage < pipeline.getStages(); ++stage)
      costs.stages.push_back({assignment.getSeconds(entry, stage), 0, 0, 0});
    costs.transfer = messages();
    auto made = schedule::makeSchedule(
        schedule::Kind::Inference, {static_cast<int>(pipeline.axis.size), static_cast<int>(count),
                                    static_cast<int>(pipeline.chunks)});
    auto timeline = schedule::simulate(*made, costs);
    if (best.seconds > 0 && timeline->seconds >= best.seconds)
      continue;
    best.count = count;
    best.seconds = timeline->seconds;
    best.bubble = timeline->bubble;
  }
  if (best.batch)
    assignment.setExtent(best.batch, whole);
  return best;
}

} // namespace ashlar::distribution
