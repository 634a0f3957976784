// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Stages/StepTimes.h"

#include "compiler/Distribution/Plan/Conventions.h"
#include "compiler/Distribution/Plan/Report.h"
#include "compiler/Distribution/Stages/Messages.h"
#include "compiler/Distribution/Stages/Microbatches.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::distribution {

FailureOr<std::vector<StepTime>> modelSteps(ModuleOp module) {
  std::vector<StepTime> times;
  MeshOp meshOp = findMesh(module);
  const Mesh mesh = meshOp.getMesh();
  const MeshAxis *stages = mesh.find(kStageAxis);
  if (!stages || stages->size == 1) {
    for (const EntryReport &entry : reportEntries(module))
      times.push_back({entry.name, entry.seconds, 1});
    return times;
  }
  SmallVector<func::FuncOp> entries;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(graph::kEntryAttr))
      entries.push_back(function);
  StageAssignment assignment(module, mesh, mesh.getWhole(kStageAxis));
  if (entries.empty() || failed(assignment.run(entries)))
    return failure();
  auto most = meshOp->getAttrOfType<IntegerAttr>(kMicrobatchesAttr);
  for (func::FuncOp entry : entries) {
    const Messages messages = collectMessages(entry, assignment, stages->size);
    auto seconds = [&] { return getLongestSeconds(messages.needed, assignment, stages->size); };
    const MicrobatchPlan plan =
        planMicrobatches(entry, assignment, stages->size, seconds, most ? most.getInt() : 0);
    times.push_back(
        {entry.getSymName().str(),
         plan.seconds + getLongestSeconds(messages.deliveries, assignment, stages->size),
         plan.count});
  }
  return times;
}

} // namespace ashlar::distribution
