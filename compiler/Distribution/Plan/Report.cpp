// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/Report.h"

#include "compiler/Distribution/Costs.h"
#include "dialects/Graph/GraphPaths.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::distribution {
namespace {

CollectiveKind getKind(Operation *op) {
  return llvm::TypeSwitch<Operation *, CollectiveKind>(op)
      .Case<AllReduceOp>([](auto) { return CollectiveKind::AllReduce; })
      .Case<ReduceScatterOp>([](auto) { return CollectiveKind::ReduceScatter; })
      .Case<AllGatherOp>([](auto) { return CollectiveKind::AllGather; })
      .Case<AllToAllOp>([](auto) { return CollectiveKind::AllToAll; })
      .Case<BroadcastOp>([](auto) { return CollectiveKind::Broadcast; })
      .Default([](auto) { return CollectiveKind::Permute; });
}

class Reporter {
public:
  explicit Reporter(ModuleOp module) : mesh(findMesh(module).getMesh()), costs(module, mesh) {}

  EntryReport report(func::FuncOp function) {
    EntryReport entry;
    entry.name = entry.entry = function.getSymName().str();
    if (auto stage = function->getAttrOfType<StageAttr>(kStageAttr)) {
      entry.entry = stage.getEntry().getValue().str();
      entry.stage = stage.getIndex();
    }
    for (Operation &op : function.getBody().front()) {
      if (auto collective = dyn_cast<CollectiveOpInterface>(op))
        add(collective, entry);
      else if (double seconds = costs.getOpSeconds(&op); seconds > 0)
        addCompute(op, seconds, entry);
    }
    return entry;
  }

private:
  double getBytes(Type type) {
    auto tensor = dyn_cast_or_null<RankedTensorType>(type);
    return tensor ? costs.getBytes(tensor, Sharding(tensor.getRank())) : 0;
  }

  void addCompute(Operation &op, double seconds, EntryReport &entry) {
    constexpr llvm::StringLiteral kCompute = "compute";
    if (entry.timeline.empty() || entry.timeline.back().what != kCompute)
      entry.timeline.push_back(
          {kCompute.str(), "", graph::getPath(op.getLoc()).str(), 0, 0, entry.getSeconds(), 0});
    ++entry.timeline.back().ops;
    entry.timeline.back().seconds += seconds;
    entry.computeSeconds += seconds;
  }

  void add(CollectiveOpInterface op, EntryReport &entry) {
    Axes axes = getAxes(op.getAxes(), mesh);
    Value input = op.getInput();
    double bytes =
        std::max(getBytes(op.getOutputType()), getBytes(input ? input.getType() : Type()));
    CollectiveLine line{op->getName().stripDialect().str(), mesh.toString(axes), bytes,
                        // A message's time is its sender's.
                        isa<RecvOp>(op) ? 0 : costs.getSeconds(getKind(op), bytes, axes), 1,
                        graph::getPath(op->getLoc()).str()};
    entry.timeline.push_back(
        {line.op, line.axes, line.path, 1, line.bytes, entry.getSeconds(), line.seconds});
    entry.collectiveSeconds += line.seconds;
    for (CollectiveLine &known : entry.collectives)
      if (known.op == line.op && known.axes == line.axes && known.bytes == line.bytes) {
        ++known.count;
        return;
      }
    entry.collectives.push_back(std::move(line));
  }

  Mesh mesh;
  Costs costs;
};

} // namespace

std::vector<EntryReport> reportEntries(ModuleOp module) {
  std::vector<EntryReport> entries;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(graph::kEntryAttr))
      entries.push_back(Reporter(module).report(function));
  return entries;
}

} // namespace ashlar::distribution
