// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Stages/StageAssignment.h"

#include "compiler/Distribution/Plan/Conventions.h"
#include "compiler/Distribution/Schedule/StageCuts.h"
#include "dialects/Graph/Graph.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::distribution {

using graph::ReadOp;
using graph::WriteOp;

static graph::StateOp getState(Operation *op, FlatSymbolRefAttr name) {
  return SymbolTable::lookupNearestSymbolFrom<graph::StateOp>(op, name);
}

std::optional<Pipeline> findPipeline(MeshOp mesh) {
  const Mesh axes = mesh ? mesh.getMesh() : Mesh();
  const MeshAxis *axis = axes.find(kStageAxis);
  if (!axis || axis->size == 1)
    return std::nullopt;
  auto chunks = mesh->getAttrOfType<IntegerAttr>(kChunksAttr);
  return Pipeline{axes.getWhole(kStageAxis), chunks ? chunks.getInt() : 1};
}

StageAssignment::Kind StageAssignment::getKind(Value value) const {
  auto found = kinds.find(value);
  return found == kinds.end() ? Kind::Common : found->second; // arguments
}

LogicalResult StageAssignment::classify(func::FuncOp entry) {
  for (Operation &op : entry.getBody().front().without_terminator()) {
    if (op.getNumRegions() > 0)
      return op.emitOpError() << "has a region, which no stage takes apart; cut the graph into "
                                 "stages before it is fused";
    auto read = dyn_cast<ReadOp>(op);
    bool hasStaged = false, hasWeight = false, hasCommon = false;
    if (read) {
      hasWeight = getState(read, read.getStateAttr()).getRole() == graph::StateRole::Parameter;
      hasStaged = isa<graph::CacheType>(read.getType());
      if (hasStaged)
        caches[read.getResult()] = read.getStateAttr().getAttr();
    }
    for (Value operand : op.getOperands()) {
      Operation *maker = operand.getDefiningOp();
      hasStaged |= getKind(operand) == Kind::Staged;
      hasWeight |= getKind(operand) == Kind::Weight;
      // What follows from no operands at all goes with either.
      hasCommon |= getKind(operand) == Kind::Common &&
                   !(maker && maker->getNumOperands() == 0 && !isa<ReadOp>(maker));
      if (auto cache = caches.lookup(operand))
        for (Value result : op.getResults())
          if (isa<graph::CacheType>(result.getType()))
            caches[result] = cache;
    }
    Kind kind = hasStaged || (hasWeight && hasCommon) ? Kind::Staged
                : hasWeight                           ? Kind::Weight
                                                      : Kind::Common;
    for (Value result : op.getResults())
      kinds[result] = kind;
    auto write = dyn_cast<WriteOp>(op);
    if (write && kind != Kind::Common && !caches.count(write.getValue()))
      return write.emitOpError()
             << "writes " << write.getStateAttr()
             << " with what one stage of a pipeline computes; stages write caches, and each for "
                "itself what follows from inputs and counters";
    if (kind == Kind::Staged && !read)
      stages[&op] = 0;
  }
  return success();
}

double StageAssignment::getBytes(Value value) {
  auto tensor = dyn_cast<RankedTensorType>(value.getType());
  return tensor ? costs.getBytes(tensor, Sharding(tensor.getRank())) : 0;
}

double StageAssignment::getTransferSeconds(Value value) {
  return costs.getSeconds(CollectiveKind::Permute, getBytes(value), {pipeline.axis});
}

double StageAssignment::getSeconds(Operation *op) {
  if (auto collective = dyn_cast<CollectiveOpInterface>(op))
    return costs.getSeconds(collective);
  // Without a rate the stages' operations are still shared evenly.
  return mesh.flops > 0 ? costs.getOpSeconds(op) : costs.getFlops(op) / 1e12;
}

double StageAssignment::getSeconds(func::FuncOp entry, int64_t stage) {
  double seconds = 0;
  llvm::DenseSet<Operation *> made;
  for (Operation &op : entry.getBody().front())
    if (auto found = stages.find(&op); found != stages.end() && found->second == stage)
      seconds += getSeconds(&op) + getWeightSeconds(op, made);
  return seconds;
}

double StageAssignment::getWeightSeconds(Operation &op, llvm::DenseSet<Operation *> &made) {
  double seconds = 0;
  SmallVector<Value> read(op.getOperands());
  while (!read.empty()) {
    Value value = read.pop_back_val();
    Operation *maker = value.getDefiningOp();
    if (getKind(value) != Kind::Weight || !made.insert(maker).second)
      continue;
    seconds += getSeconds(maker);
    llvm::append_range(read, maker->getOperands());
  }
  return seconds;
}

LogicalResult StageAssignment::cut(func::FuncOp entry) {
  SmallVector<Operation *> chain;
  llvm::DenseMap<Operation *, size_t> places;
  for (Operation &op : entry.getBody().front())
    if (stages.count(&op) && !isa<WriteOp>(op)) {
      places[&op] = chain.size();
      chain.push_back(&op);
    }
  if (static_cast<int64_t>(chain.size()) < pipeline.getStages())
    return entry.emitError() << "entry '" << entry.getSymName() << "' has " << chain.size()
                             << " ops that a stage may begin with, too few for "
                             << pipeline.getStages() << " stages; give the axis no more than that";
  std::vector<schedule::Link> links(chain.size());
  llvm::DenseSet<Operation *> made;
  for (auto [place, op] : llvm::enumerate(chain)) {
    links[place].work = getSeconds(op) + getWeightSeconds(*op, made);
    for (Value result : op->getResults()) {
      size_t last = place;
      for (Operation *user : result.getUsers())
        if (auto found = places.find(user); found != places.end())
          last = std::max(last, found->second);
      for (size_t between = place + 1; between <= last; ++between)
        links[between].transfer += getTransferSeconds(result);
    }
  }
  std::vector<size_t> first = schedule::cutChain(links, static_cast<size_t>(pipeline.getStages()));
  for (auto [place, op] : llvm::enumerate(chain)) {
    auto stage = llvm::upper_bound(first, place) - first.begin() - 1;
    // A parameter belongs to the first op that reads it, through what is made of it.
    SmallVector<Value> read(op->getOperands());
    while (!read.empty()) {
      Value value = read.pop_back_val();
      if (getKind(value) != Kind::Weight)
        continue;
      if (auto parameter = value.getDefiningOp<ReadOp>())
        homes.try_emplace(parameter.getStateAttr().getAttr(), stage);
      llvm::append_range(read, value.getDefiningOp()->getOperands());
    }
  }
  return success();
}

int64_t StageAssignment::getEarliest(Value value) const {
  if (auto cache = caches.lookup(value))
    return homes.lookup(cache);
  Kind kind = getKind(value);
  if (kind == Kind::Common)
    return 0;
  if (kind == Kind::Staged)
    return getStage(value);
  if (auto read = value.getDefiningOp<ReadOp>())
    return homes.lookup(read.getStateAttr().getAttr());
  int64_t earliest = 0;
  for (Value operand : value.getDefiningOp()->getOperands())
    earliest = std::max(earliest, getEarliest(operand));
  return earliest;
}

bool StageAssignment::spread(func::FuncOp entry) {
  bool changed = false;
  for (Operation &op : entry.getBody().front()) {
    auto mine = stages.find(&op);
    if (mine == stages.end())
      continue;
    int64_t stage = mine->second;
    for (Value operand : op.getOperands())
      stage = std::max(stage, getEarliest(operand));
    changed |= std::exchange(mine->second, stage) != stage;
    for (Value value : llvm::concat<Value>(SmallVector<Value>(op.getOperands()),
                                           SmallVector<Value>(op.getResults())))
      if (auto cache = caches.lookup(value)) {
        int64_t &home = homes[cache];
        changed |= home < stage;
        home = std::max(home, stage);
      }
  }
  return changed;
}

LogicalResult StageAssignment::run(ArrayRef<func::FuncOp> entries) {
  for (func::FuncOp entry : entries)
    if (failed(classify(entry)))
      return failure();
  // The entry point with the most to do decides.
  func::FuncOp largest;
  double most = -1;
  for (func::FuncOp entry : entries) {
    double seconds = getSeconds(entry, 0); // so far all are in the first stage
    if (seconds > most) {
      most = seconds;
      largest = entry;
    }
  }
  if (failed(cut(largest)))
    return failure();
  for (bool changes = true; changes;) {
    changes = false;
    for (func::FuncOp entry : entries)
      changes |= spread(entry);
  }
  return success();
}

} // namespace ashlar::distribution
