// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/Report.h"

#include "compiler/Distribution/Costs.h"
#include "dialects/Graph/GraphPaths.h"

using namespace mlir;
using namespace ashlar::dist;

namespace ashlar::distribution {
namespace {

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
    computed = linked = 0;
    ends.clear();
    for (Operation &op : function.getBody().front()) {
      if (auto collective = dyn_cast<CollectiveOpInterface>(op))
        add(collective, entry);
      else if (auto wait = dyn_cast<WaitOp>(op))
        computed = std::max(computed, ends.lookup(wait.getPending().getDefiningOp()));
      else if (double seconds = costs.getOpSeconds(&op); seconds > 0)
        addCompute(op, seconds, entry);
    }
    entry.seconds = std::max(computed, linked);
    return entry;
  }

private:
  void addCompute(Operation &op, double seconds, EntryReport &entry) {
    constexpr llvm::StringLiteral kCompute = "compute";
    std::vector<TimelineStep> &timeline = entry.timeline;
    if (timeline.empty() || timeline.back().what != kCompute ||
        timeline.back().begin + timeline.back().seconds < computed)
      timeline.push_back(
          {kCompute.str(), "", graph::getPath(op.getLoc()).str(), 0, 0, computed, 0});
    ++timeline.back().ops;
    timeline.back().seconds += seconds;
    entry.computeSeconds += seconds;
    computed += seconds;
  }

  void add(CollectiveOpInterface op, EntryReport &entry) {
    std::string axes = mesh.toString(getAxes(op.getAxes(), mesh));
    CollectiveLine line{
        op->getName().stripDialect().str(), axes, costs.getBytes(op), costs.getSeconds(op), 1,
        graph::getPath(op->getLoc()).str()};
    const double begin = std::max(computed, linked);
    linked = begin + line.seconds;
    if (op.isStarted())
      ends[op] = linked;
    else
      computed = linked;
    entry.timeline.push_back({line.op, axes, line.path, 1, line.bytes, begin, line.seconds});
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
  // Of the step: when arithmetic, the link, and each collective that was started are done.
  double computed = 0, linked = 0;
  llvm::DenseMap<Operation *, double> ends;
};

} // namespace

std::vector<EntryReport> reportEntries(ModuleOp module) {
  std::vector<EntryReport> entries;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(graph::kEntryAttr))
      entries.push_back(Reporter(module).report(function));
  return entries;
}

std::vector<StepReport> reportSteps(ModuleOp module) {
  std::vector<StepReport> steps;
  for (const EntryReport &entry : reportEntries(module)) {
    auto function = module.lookupSymbol<func::FuncOp>(entry.name);
    auto step = function->getAttrOfType<FloatAttr>(kStepSecondsAttr);
    if (!entry.stage || steps.empty() || steps.back().entry != entry.entry) {
      auto count = function->getAttrOfType<IntegerAttr>(kMicrobatchesAttr);
      steps.push_back({entry.entry, step ? step.getValueAsDouble() : entry.seconds, 0, 0,
                       count ? count.getInt() : 1});
    }
    steps.back().collectiveSeconds += entry.collectiveSeconds;
    ++steps.back().stages;
  }
  return steps;
}

} // namespace ashlar::distribution
