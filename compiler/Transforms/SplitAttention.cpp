// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Transforms/Passes.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Graph/GraphPaths.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace ashlar {

#define GEN_PASS_DEF_SPLITATTENTIONPASS
#include "compiler/Transforms/Passes.h.inc"

using namespace graph;

namespace {

/// Rows of a key head, queries of all heads that share it, up to which one block takes all of them.
constexpr int64_t kMostRows = 64;
/// Parts are multiples of what skeletons take at once.
constexpr int64_t kLeastKeys = 64;

struct Bounds {
  int64_t least, most;
};

Bounds getBounds(ModuleOp module, const Dim &dim) {
  if (dim.isNumber())
    return {dim.size, dim.size};
  auto op = module.lookupSymbol<DimOp>(dim.name);
  return {static_cast<int64_t>(op.getMinimum()), static_cast<int64_t>(op.getMaximum())};
}

Dims dimsOf(Value value) { return getDims(cast<RankedTensorType>(value.getType())); }

struct Parts {
  int64_t count, keys;
};

/// As many parts as give each multiprocessor a block with the fewest sequences that there can be:
/// with more there are more blocks, which does not hurt, and what a row's keys are added up in does
/// not depend on what comes with it. One part where there is nothing to split.
Parts chooseParts(AttentionOp op, int64_t multiprocessors) {
  auto module = op->getParentOfType<ModuleOp>();
  Dims q = dimsOf(op.getQueries());
  auto cache = dyn_cast<CacheType>(op.getKeys().getType());
  Dims k = cache ? Dims() : dimsOf(op.getKeys());
  int64_t keys = cache ? cache.getPositions() : getBounds(module, k[1]).most;
  int64_t keyHeads = cache ? cache.getHeads() : k[2].size;
  if (keys < 1 || multiprocessors < 1 ||
      getBounds(module, q[1]).most * (q[2].size / keyHeads) > kMostRows)
    return {1, keys};
  int64_t blocks = std::max<int64_t>(getBounds(module, q[0]).least, 1) * keyHeads;
  int64_t wanted = llvm::divideCeil(multiprocessors, blocks);
  int64_t partKeys = llvm::alignTo(llvm::divideCeil(keys, wanted), kLeastKeys);
  return {static_cast<int64_t>(llvm::divideCeil(keys, partKeys)), partKeys};
}

/// The ops by which a region's results are made of the attention's output, in order: reshapes and
/// casts. Nothing where a result is made of anything else, or their dimensions differ.
std::optional<SmallVector<Operation *>> getViews(FusedOp fused, AttentionOp attention) {
  llvm::SetVector<Operation *> views;
  for (Value value : fused.getYield()->getOperands()) {
    if (dimsOf(value) != dimsOf(fused.getYield()->getOperand(0)))
      return std::nullopt;
    while (value != attention.getOutput()) {
      Operation *op = value.getDefiningOp();
      if (!isa_and_nonnull<ReshapeOp, CastOp>(op))
        return std::nullopt;
      views.insert(op);
      value = op->getOperand(0);
    }
  }
  SmallVector<Operation *> ordered(views.begin(), views.end());
  llvm::sort(ordered, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return ordered;
}

/// The region with attention to parts, which yields their outputs and logsumexps.
FusedOp attendToParts(FusedOp fused, AttentionOp attention, Parts parts,
                      ArrayRef<Operation *> views, Location loc) {
  OpBuilder builder(fused);
  IRMapping mapping;
  Region region;
  fused.getBody().cloneInto(&region, mapping);
  auto whole = cast<AttentionOp>(mapping.lookup(attention.getOperation()));
  builder.setInsertionPoint(whole);
  auto apart = AttentionOp::create(
      builder, loc, whole.getQueries(), whole.getKeys(), whole.getValues(), whole.getQueryOffsets(),
      whole.getKeyLengths(), whole.getKeyMask(), whole.getScaleAttr(), whole.getCausalAttr(),
      whole.getWindowAttr(), builder.getI64IntegerAttr(parts.count),
      builder.getI64IntegerAttr(parts.keys));
  region.front().getTerminator()->setOperands(apart.getResults());
  for (Operation *view : llvm::reverse(views))
    mapping.lookup(view)->erase();
  whole.erase();
  builder.setInsertionPoint(fused);
  auto split =
      FusedOp::create(builder, loc, apart.getResultTypes(), fused.getName(), fused.getInputs());
  split.getBody().takeBody(region);
  return split;
}

/// A region that makes the results of `fused` of those parts.
FusedOp mergeParts(FusedOp fused, AttentionOp attention, FusedOp split,
                   ArrayRef<Operation *> views) {
  OpBuilder builder(fused);
  auto merged = FusedOp::create(builder, fused.getLoc(), fused.getResultTypes(), "merge_attention",
                                split.getResults());
  Block *block = builder.createBlock(&merged.getBody());
  for (Value result : split.getResults())
    block->addArgument(result.getType(), result.getLoc());
  auto merge = MergeAttentionOp::create(builder, attention.getLoc(), block->getArgument(0),
                                        block->getArgument(1));
  IRMapping mapping;
  mapping.map(attention.getOutput(), merge.getOutput());
  for (Operation *view : views)
    builder.clone(*view, mapping);
  SmallVector<Value> results = llvm::map_to_vector(
      fused.getYield()->getOperands(), [&](Value value) { return mapping.lookup(value); });
  YieldOp::create(builder, fused.getLoc(), results);
  return merged;
}

struct SplitAttention : impl::SplitAttentionPassBase<SplitAttention> {
  using SplitAttentionPassBase::SplitAttentionPassBase;

  void runOnOperation() override {
    PathTable paths(getOperation());
    for (FusedOp fused : llvm::make_early_inc_range(getOperation().getOps<FusedOp>())) {
      auto attentions = fused.getBlock().getOps<AttentionOp>();
      if (attentions.empty() || std::next(attentions.begin()) != attentions.end())
        continue;
      AttentionOp attention = *attentions.begin();
      auto views = getViews(fused, attention);
      if (attention.getParts() || !views)
        continue;
      Parts parts = chooseParts(attention, multiprocessors);
      if (parts.count < 2)
        continue;
      std::string path = paths.take((getPath(attention.getLoc()) + ".parts").str());
      FusedOp split =
          attendToParts(fused, attention, parts, *views, withPath(attention.getLoc(), path));
      fused.replaceAllUsesWith(mergeParts(fused, attention, split, *views).getResults());
      fused.erase();
    }
  }
};

} // namespace
} // namespace ashlar
