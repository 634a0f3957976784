// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Stages/StepTimes.h"

#include "compiler/Distribution/Plan/Report.h"
#include "compiler/Distribution/Stages/Messages.h"
#include "compiler/Distribution/Stages/Microbatches.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::distribution {

FailureOr<std::vector<StepTime>> modelSteps(ModuleOp module) {
  std::vector<StepTime> times;
  MeshOp meshOp = findMesh(module);
  const std::optional<Pipeline> pipeline = findPipeline(meshOp);
  if (!pipeline) {
    for (const EntryReport &entry : reportEntries(module))
      times.push_back({entry.name, entry.seconds, 1});
    return times;
  }
  SmallVector<func::FuncOp> entries;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(graph::kEntryAttr))
      entries.push_back(function);
  const Mesh mesh = meshOp.getMesh();
  StageAssignment assignment(module, mesh, *pipeline);
  if (entries.empty() || failed(assignment.run(entries)))
    return failure();
  auto most = meshOp->getAttrOfType<IntegerAttr>(kMicrobatchesAttr);
  for (func::FuncOp entry : entries) {
    const Messages messages = collectMessages(entry, assignment);
    auto seconds = [&] { return getLongestSeconds(messages.needed, assignment); };
    const MicrobatchPlan plan =
        planMicrobatches(entry, assignment, seconds, most ? most.getInt() : 0);
    times.push_back({entry.getSymName().str(),
                     plan.seconds + getLongestSeconds(messages.deliveries, assignment),
                     plan.count});
  }
  return times;
}

} // namespace ashlar::distribution
