// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Transforms/Passes.h"
#include "compiler/Transforms/Weights.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Graph/GraphPaths.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace ashlar {

#define GEN_PASS_DEF_NARROWOPERANDSPASS
#include "compiler/Transforms/Passes.h.inc"

using namespace graph;

namespace {

RankedTensorType withElement(Type type, Type element) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), element, tensor.getEncoding());
}

int64_t getRank(Value value) { return cast<RankedTensorType>(value.getType()).getRank(); }

Type getElement(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

/// The 16-bit type of the weights to which a product in a fused region rounds its left operand;
/// null where its right operand is computed or is no weight: then it is a sum in f32.
Type getRoundingWeight(MatmulOp product) {
  auto argument = dyn_cast<BlockArgument>(product.getB());
  if (!argument)
    return nullptr;
  Type weight = getElement(argument);
  Value source = cast<FusedOp>(product->getParentOp()).getInputs()[argument.getArgNumber()];
  bool isRounding = (weight.isBF16() || weight.isF16()) && getRank(argument) == 2 &&
                    !getWeightParts(source).empty();
  return isRounding ? weight : Type();
}

/// The type to which a kernel's first product rounds its left operand; null where none does.
Type getProductType(FusedOp fused) {
  for (auto product : fused.getBlock().getOps<MatmulOp>())
    if (Type weight = getRoundingWeight(product))
      return weight;
  return nullptr;
}

/// Whether the use is as an operand of attention, or on the way to one.
bool isForAttention(OpOperand &use) {
  if (auto append = dyn_cast<CacheAppendOp>(use.getOwner()))
    return use.get() == append.getValues();
  return isa<RopeOp>(use.getOwner())
             ? use.getOperandNumber() == 0
             : isa<AttentionOp>(use.getOwner()) && use.getOperandNumber() < 3;
}

/// The 16-bit type that every reader of the argument rounds it to, by way of views or as it is:
/// that of a product's weights, and for attention that of the products (`produced`) that made it.
/// Null where it has any other reader.
Type getRoundedType(Value value, Type produced) {
  Type rounded;
  for (OpOperand &use : value.getUses()) {
    Type type;
    if (auto product = dyn_cast<MatmulOp>(use.getOwner())) {
      type = use.getOperandNumber() == 0 ? getRoundingWeight(product) : Type();
    } else if (isa<ReshapeOp, TransposeOp, SliceOp>(use.getOwner())) {
      type = getRoundedType(use.getOwner()->getResult(0), produced);
    } else if (isForAttention(use)) {
      type = produced;
    }
    if (!type || (rounded && type != rounded))
      return nullptr;
    rounded = type;
  }
  return rounded;
}

/// Makes `value` one of 16-bit elements; its readers follow, all but views behind one cast.
void narrow(Value value, Type element, PathTable &paths) {
  value.setType(withElement(value.getType(), element));
  CastOp widened;
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  for (OpOperand &use : llvm::make_early_inc_range(value.getUses())) {
    Operation *user = use.getOwner();
    if (isa<ReshapeOp, TransposeOp, SliceOp>(user)) {
      narrow(user->getResult(0), element, paths);
      continue;
    }
    if (!widened) {
      std::string path = paths.take((getPath(value.getLoc()) + ".widened").str());
      widened = CastOp::create(builder, withPath(value.getLoc(), path),
                               withElement(value.getType(), builder.getF32Type()), value);
    }
    use.set(widened);
  }
}

/// The uses of a kernel's result that round it, all to `element`; those for attention where
/// `produced` is given.
SmallVector<OpOperand *> getRoundingUses(OpResult result, Type produced, Type &element) {
  SmallVector<OpOperand *> uses;
  for (OpOperand &use : result.getUses()) {
    auto reader = dyn_cast<FusedOp>(use.getOwner());
    if (!reader)
      continue;
    Type rounded = getRoundedType(reader.getBlock().getArgument(use.getOperandNumber()), produced);
    if (!rounded || (element && rounded != element))
      continue;
    element = rounded;
    uses.push_back(&use);
  }
  return uses;
}

/// A kernel with one more result, which takes the place of `fused`.
FusedOp addResult(FusedOp fused, Value value) {
  fused.getYield()->insertOperands(fused.getYield()->getNumOperands(), value);
  SmallVector<Type> types(fused.getResultTypes());
  types.push_back(value.getType());
  OpBuilder builder(fused);
  auto wider = FusedOp::create(builder, fused.getLoc(), types, fused.getName(), fused.getInputs());
  wider.getBody().takeBody(fused.getBody());
  fused.replaceAllUsesWith(wider.getResults().drop_back());
  fused.erase();
  return wider;
}

struct NarrowOperands : impl::NarrowOperandsPassBase<NarrowOperands> {
  using NarrowOperandsPassBase::NarrowOperandsPassBase;

  void runOnOperation() override {
    PathTable paths(getOperation());
    for (FusedOp fused : llvm::make_early_inc_range(getOperation().getOps<FusedOp>()))
      for (unsigned i = 0, count = fused.getNumResults(); i < count; ++i)
        if (auto type = dyn_cast<RankedTensorType>(fused.getResult(i).getType());
            type && type.getElementType().isF32())
          fused = narrowResult(fused, i, paths);
  }

  static FusedOp narrowResult(FusedOp fused, unsigned index, PathTable &paths) {
    OpResult result = fused->getResult(index);
    Type element;
    Type produced = getProductType(fused);
    auto isEveryUse = [&](ArrayRef<OpOperand *> uses) {
      return uses.size() == static_cast<size_t>(llvm::range_size(result.getUses()));
    };
    SmallVector<OpOperand *> uses = getRoundingUses(result, produced, element);
    // Attention is no reason to store a value twice.
    if (produced && !isEveryUse(uses)) {
      element = nullptr;
      uses = getRoundingUses(result, nullptr, element);
    }
    if (uses.empty())
      return fused;
    Operation *yield = fused.getYield();
    Value wide = yield->getOperand(index);
    OpBuilder builder(yield);
    std::string path = paths.take((getPath(wide.getLoc()) + ".rounded").str());
    Value rounded = CastOp::create(builder, withPath(wide.getLoc(), path),
                                   withElement(wide.getType(), element), wide);
    Value replacement = result;
    if (isEveryUse(uses)) {
      yield->setOperand(index, rounded);
      result.setType(rounded.getType());
    } else {
      fused = addResult(fused, rounded);
      replacement = fused.getResults().back();
    }
    for (OpOperand *use : uses) {
      BlockArgument argument =
          cast<FusedOp>(use->getOwner()).getBlock().getArgument(use->getOperandNumber());
      use->set(replacement);
      narrow(argument, element, paths);
    }
    return fused;
  }
};

} // namespace
} // namespace ashlar
