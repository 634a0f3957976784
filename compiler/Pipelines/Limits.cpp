// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/Limits.h"

#include "compiler/Pipelines/KernelTable.h"
#include "dialects/Dist/Dist.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace ashlar {

using namespace graph;

/// The reading of a counter that an append's lengths are: itself, or, where ranks append other rows
/// than they count, what those are sliced or gathered from. Every rank checks what it counts.
static ReadOp getCounterRead(Value lengths) {
  if (auto wait = lengths.getDefiningOp<dist::WaitOp>())
    lengths = wait.getPending();
  if (Operation *op = lengths.getDefiningOp();
      isa_and_nonnull<dist::AllSliceOp, dist::AllGatherOp>(op))
    lengths = op->getOperand(0);
  auto copy = lengths.getDefiningOp<FusedOp>(); // what is exchanged lies in the arena
  if (copy && copy.getInputs().size() == 1 && copy.getResults().size() == 1 &&
      copy.getInputs().front().getType() == lengths.getType())
    lengths = copy.getInputs().front();
  return lengths.getDefiningOp<ReadOp>();
}

LogicalResult createLimits(func::FuncOp function, WeightTable &weights, OpBuilder &builder) {
  MLIRContext *context = function.getContext();
  llvm::DenseSet<Attribute> seen;
  WalkResult result = function.walk([&](CacheAppendOp append) {
    auto argument = dyn_cast<BlockArgument>(append.getLengths());
    auto fused = dyn_cast<FusedOp>(append->getParentOp());
    ReadOp read =
        argument && fused ? getCounterRead(fused.getInputs()[argument.getArgNumber()]) : ReadOp();
    if (!read) {
      append.emitOpError()
          << "needs lengths that are read from a state, so that the runtime can check them";
      return WalkResult::interrupt();
    }
    Dims dims = getDims(cast<RankedTensorType>(append.getValues().getType()));
    auto state = weights.getState(read.getStateAttr(), "", read);
    if (failed(state))
      return WalkResult::interrupt();
    int64_t positions = cast<CacheType>(append.getCache().getType()).getPositions();
    Dim counted = getDims(cast<RankedTensorType>(read.getResult().getType()))[0];
    auto rows = toExtentAttr(context, counted), add = toExtentAttr(context, dims[1]);
    auto limit = builder.getI64IntegerAttr(positions);
    if (seen.insert(builder.getArrayAttr({read.getStateAttr(), rows, add, limit})).second)
      program::LimitOp::create(builder, append.getLoc(), weights.getStateSymbol(read.getState()),
                               rows, add, positions);
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

void shareLimits(ModuleOp module) {
  SymbolTable symbols(module);
  for (auto entry : llvm::make_early_inc_range(module.getOps<program::EntryOp>()))
    for (auto other : module.getOps<program::EntryOp>()) {
      if (entry == other || !entry.getStage() || entry.getOf() != other.getOf())
        continue;
      for (auto limit : other.getBody().getOps<program::LimitOp>()) {
        StringRef counter = symbols.lookup<program::StateOp>(limit.getState()).getStateName();
        std::string mine = ("state" + Twine(*entry.getStage()) + "." + counter).str();
        auto isSame = [&](program::LimitOp own) {
          return own.getState() == mine && own.getRows() == limit.getRows() &&
                 own.getAdd() == limit.getAdd() && own.getLimit() == limit.getLimit();
        };
        if (!symbols.lookup(mine) ||
            llvm::any_of(entry.getBody().getOps<program::LimitOp>(), isSame))
          continue;
        OpBuilder builder = OpBuilder::atBlockEnd(&entry.getBody().front());
        cast<program::LimitOp>(builder.clone(*limit)).setState(mine);
      }
    }
}

} // namespace ashlar
