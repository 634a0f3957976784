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
    entry.name = function.getSymName().str();
    for (Operation &op : function.getBody().front()) {
      if (auto collective = dyn_cast<CollectiveOpInterface>(op))
        add(collective, entry);
      if (mesh.flops > 0)
        entry.computeSeconds += costs.getFlops(&op) / mesh.flops;
    }
    return entry;
  }

private:
  double getBytes(Type type) {
    auto tensor = dyn_cast_or_null<RankedTensorType>(type);
    return tensor ? costs.getBytes(tensor, Sharding(tensor.getRank())) : 0;
  }

  void add(CollectiveOpInterface op, EntryReport &entry) {
    Axes axes = getAxes(op.getAxes(), mesh);
    Value input = op.getInput();
    double bytes =
        std::max(getBytes(op.getOutputType()), getBytes(input ? input.getType() : Type()));
    CollectiveLine line{op->getName().stripDialect().str(),
                        mesh.toString(axes),
                        bytes,
                        costs.getSeconds(getKind(op), bytes, axes),
                        1,
                        graph::getPath(op->getLoc()).str()};
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
