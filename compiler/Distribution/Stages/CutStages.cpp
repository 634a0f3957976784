// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Takes entry points apart into a function for the ranks of each stage.

#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Stages/Messages.h"
#include "compiler/Distribution/Stages/Microbatches.h"
#include "dialects/Graph/GraphPaths.h"
#include "llvm/Support/FormatVariadic.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace ashlar {
#define GEN_PASS_DEF_CUTSTAGESPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

using namespace ashlar;
using namespace ashlar::dist;
using namespace ashlar::distribution;

namespace {

/// Builds the stages of one entry point.
class StageBuilder {
public:
  StageBuilder(func::FuncOp entry, StageAssignment &assignment, MeshOp meshOp)
      : entry(entry), assignment(assignment), pipeline(assignment.getPipeline()),
        mesh(meshOp.getMesh()), meshName(meshOp.getSymName()),
        axes(getAttr(entry.getContext(), {pipeline.axis}, mesh)), builder(entry) {}

  LogicalResult run(bool report, int64_t mostMicrobatches) {
    messages = collectMessages(entry, assignment);
    if (failed(checkSends()))
      return failure();
    auto messageSeconds = [&] { return getLongestSeconds(messages.needed, assignment); };
    plan = planMicrobatches(entry, assignment, messageSeconds, mostMicrobatches);
    for (int64_t stage = 0; stage < pipeline.getStages(); ++stage)
      build(stage);
    if (report)
      reportStages();
    entry.erase();
    return success();
  }

private:
  /// What a rank sends of all its stages may be under way at once, and communicators tell so many
  /// messages to one rank apart.
  LogicalResult checkSends() {
    constexpr int64_t kMostSent = 48;
    SmallVector<int64_t> sent(static_cast<size_t>(pipeline.getStages()));
    for (const auto *list : {&messages.needed, &messages.deliveries})
      for (const Message &message : *list)
        ++sent[static_cast<size_t>(message.from)];
    const int64_t most = *llvm::max_element(sent);
    if (pipeline.chunks == 1 || most * pipeline.chunks <= kMostSent)
      return success();
    return entry.emitError() << "a stage of @" << entry.getSymName() << " sends " << most
                             << " values, too many for " << pipeline.chunks
                             << " stages a rank, which send at most " << kMostSent
                             << " together; use fewer --chunks";
  }

  void send(const Message &message, bool isDelivery) {
    SendOp::create(builder, message.value.getLoc(), mapping.lookup(message.value),
                   pipeline.getPlace(message.to), meshName, axes, isDelivery);
  }
  void receive(const Message &message, bool isDelivery) {
    mapping.map(message.value,
                RecvOp::create(builder, message.value.getLoc(), message.value.getType(),
                               pipeline.getPlace(message.from), meshName, axes, isDelivery)
                    .getResult());
  }

  /// Of a place's stages the last one gives the results.
  bool givesResults(int64_t stage) const { return stage >= pipeline.getFirstLast(); }

  /// Whether an op is the stage's own, or a write that all do.
  bool isOf(Operation &op, int64_t stage) {
    if (std::optional<int64_t> own = assignment.findStage(&op))
      return *own == stage;
    return isa<graph::WriteOp>(op);
  }

  /// The ops of a stage, and what it makes for itself because they need it.
  llvm::DenseSet<Operation *> collect(int64_t stage) {
    llvm::DenseSet<Operation *> mine;
    SmallVector<Value> needed;
    if (givesResults(stage))
      llvm::append_range(needed, entry.getBody().front().getTerminator()->getOperands());
    for (Operation &op : entry.getBody().front().without_terminator())
      if (isOf(op, stage)) {
        mine.insert(&op);
        llvm::append_range(needed, op.getOperands());
      }
    while (!needed.empty()) {
      Operation *op = needed.pop_back_val().getDefiningOp();
      if (!op || assignment.findStage(op) || !mine.insert(op).second)
        continue;
      llvm::append_range(needed, op->getOperands());
    }
    return mine;
  }

  void build(int64_t stage) {
    builder.setInsertionPoint(entry);
    auto function = func::FuncOp::create(
        builder, entry.getLoc(), (entry.getSymName() + ".stage" + Twine(stage)).str(),
        builder.getFunctionType(entry.getArgumentTypes(),
                                givesResults(stage) ? entry.getResultTypes() : TypeRange()));
    for (NamedAttribute attribute : entry->getAttrs()) {
      const StringAttr name = attribute.getName();
      if (name != function.getSymNameAttrName() && name != function.getFunctionTypeAttrName() &&
          (givesResults(stage) || name != function.getResAttrsAttrName()))
        function->setAttr(name, attribute.getValue());
    }
    SmallVector<int64_t> ranks;
    for (int64_t rank = 0; rank < mesh.getRankCount(); ++rank)
      if (mesh.getIndex(rank, {pipeline.axis}) == pipeline.getPlace(stage))
        ranks.push_back(rank);
    function->setAttr(kRanksAttr, builder.getDenseI64ArrayAttr(ranks));
    function->setAttr(kStageAttr,
                      StageAttr::get(builder.getContext(), entry.getSymNameAttr(), stage));
    function->setAttr(
        kStepSecondsAttr,
        builder.getF64FloatAttr(plan.seconds + getLongestSeconds(messages.deliveries, assignment)));
    if (plan.count > 1) {
      function->setAttr(kMicrobatchesAttr, builder.getI64IntegerAttr(plan.count));
      function->setAttr(kBatchAttr, FlatSymbolRefAttr::get(plan.batch));
    }
    Block *block = function.addEntryBlock();
    builder.setInsertionPointToStart(block);
    mapping.clear();
    for (auto [whole, mine] : llvm::zip(entry.getArguments(), block->getArguments())) {
      mapping.map(whole, mine);
      mine.setLoc(whole.getLoc());
    }

    llvm::DenseSet<Operation *> mine = collect(stage);
    for (const Message &message : messages.needed)
      if (message.to == stage)
        receive(message, /*isDelivery=*/false);
    for (Operation &op : entry.getBody().front().without_terminator())
      if (mine.contains(&op))
        builder.clone(op, mapping);
    for (const Message &message : messages.needed)
      if (message.from == stage)
        send(message, /*isDelivery=*/false);
    for (const Message &message : messages.deliveries) {
      if (message.from == stage)
        send(message, /*isDelivery=*/true);
      if (message.to == stage)
        receive(message, /*isDelivery=*/true);
    }
    if (givesResults(stage))
      builder.clone(*entry.getBody().front().getTerminator(), mapping);
    else
      func::ReturnOp::create(builder, entry.getLoc());
  }

  void reportStages() {
    for (int64_t stage = 0; stage < pipeline.getStages(); ++stage)
      entry.emitRemark() << "stage " << stage << " of @" << entry.getSymName() << ": "
                         << llvm::formatv("{0:F2}", assignment.getSeconds(entry, stage) * 1e6).str()
                         << " us";
    for (auto [list, what] :
         {std::pair(&messages.needed, ""), {&messages.deliveries, ", a result"}})
      for (const Message &message : *list)
        emitRemark(message.value.getLoc())
            << "send from stage " << message.from << " to " << message.to << " of '"
            << graph::getPath(message.value.getLoc())
            << "': " << static_cast<int64_t>(assignment.getBytes(message.value)) << " bytes, "
            << llvm::formatv("{0:F2}", assignment.getTransferSeconds(message.value) * 1e6).str()
            << " us" << what;
    entry.emitRemark() << "a step of @" << entry.getSymName() << " in " << plan.count
                       << (plan.count == 1 ? " microbatch" : " microbatches")
                       << llvm::formatv(": {0:F2} us, stages idle for {1:F0} % of it",
                                        plan.seconds * 1e6, plan.bubble * 100)
                              .str()
                       << (plan.obstacle.empty() ? "" : "; it is not split, because ")
                       << plan.obstacle;
  }

  func::FuncOp entry;
  StageAssignment &assignment;
  const Pipeline &pipeline;
  Mesh mesh;
  StringRef meshName;
  AxesAttr axes;
  OpBuilder builder;
  MicrobatchPlan plan;
  Messages messages;
  IRMapping mapping;
};

/// Nothing is cut along the axis of the stages.
LogicalResult verifyAxisIsFree(ModuleOp module, const Mesh &mesh, const Axis &axis) {
  WalkResult result = module.walk([&](Operation *op) {
    bool isUsed = false;
    if (auto axes = op->getAttrOfType<AxesAttr>("axes"))
      isUsed |= overlaps(getAxes(axes, mesh), {axis});
    if (auto sharding = op->getAttrOfType<ShardingAttr>(kShardingAttr))
      isUsed |= overlaps(getSharding(sharding, mesh).getAxes(), {axis});
    if (!isUsed)
      return WalkResult::advance();
    op->emitOpError() << "is cut over '" << axis.name
                      << "', along which the stages of a pipeline lie; cut it over another axis";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

struct CutStages : ashlar::impl::CutStagesPassBase<CutStages> {
  using CutStagesPassBase::CutStagesPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    MeshOp meshOp = findMesh(module);
    const std::optional<Pipeline> pipeline = findPipeline(meshOp);
    if (!pipeline)
      return;
    Mesh mesh = meshOp.getMesh();
    SmallVector<func::FuncOp> entries;
    for (auto function : module.getOps<func::FuncOp>())
      if (function->hasAttr(graph::kEntryAttr))
        entries.push_back(function);
    if (entries.empty())
      return;
    StageAssignment assignment(module, mesh, *pipeline);
    auto most = meshOp->getAttrOfType<IntegerAttr>(kMicrobatchesAttr);
    if (failed(verifyAxisIsFree(module, mesh, pipeline->axis)) || failed(assignment.run(entries)))
      return signalPassFailure();
    for (func::FuncOp entry : entries)
      if (failed(StageBuilder(entry, assignment, meshOp).run(report, most ? most.getInt() : 0)))
        return signalPassFailure();
  }
};

} // namespace
