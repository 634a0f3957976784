// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Stages/StageBounds.h"

#include "compiler/Distribution/Plan/Conventions.h"
#include "compiler/Distribution/Stages/Microbatches.h"
#include "dialects/Graph/Graph.h"

using namespace mlir;

namespace ashlar::distribution {

static double getBytes(Costs costs, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? costs.getBytes(tensor, dist::Sharding(tensor.getRank())) : 0;
}

StageBounds::StageBounds(ModuleOp module, const dist::Mesh &rank, int64_t ranks)
    : module(module), ranks(ranks) {
  for (auto entry : module.getOps<func::FuncOp>()) {
    if (!entry->hasAttr(graph::kEntryAttr))
      continue;
    Block &body = entry.getBody().front();
    layers = std::max<int64_t>(
        layers, llvm::count_if(body, [](Operation &op) { return isa<graph::AttentionOp>(op); }));
    double &bytes = resultBytes.emplace_back(0);
    for (Value result : body.getTerminator()->getOperands())
      if (result.hasOneUse()) // what is used elsewhere may be there already
        bytes = std::max(bytes, getBytes(Costs(module, rank), result.getType()));
    const BatchBounds batch = getBatchBounds(entry);
    microbatches = std::max(microbatches, batch.mostMicrobatches);
    std::vector<Work> &each = work.emplace_back();
    const int64_t largest = batch.mostMicrobatches;
    for (int64_t count = 1; count <= largest;
         count = count < largest ? std::min(2 * count, largest) : count + 1) {
      Costs costs(module, rank);
      if (batch.name)
        costs.setExtent(batch.name, llvm::divideCeil(batch.extent, count));
      double seconds = 0;
      for (Operation &op : body)
        seconds += costs.getOpSeconds(&op);
      each.push_back({count, seconds});
    }
  }
}

double StageBounds::getLeastSeconds(int64_t stages) const {
  double sum = 0;
  for (const std::vector<Work> &entry : work) {
    double least = INFINITY;
    for (const Work &each : entry)
      least = std::min(least, each.seconds * static_cast<double>(each.microbatches + stages - 1));
    sum += least / static_cast<double>(ranks);
  }
  return sum;
}

double StageBounds::getDeliverySeconds(const dist::Mesh &mesh) const {
  Costs costs(module, mesh);
  const dist::Axis stages = mesh.getWhole(kStageAxis);
  double seconds = 0;
  for (double bytes : resultBytes)
    seconds += static_cast<double>(stages.size - 1) *
               costs.getSeconds(CollectiveKind::Permute, bytes, {stages});
  return seconds;
}

} // namespace ashlar::distribution
