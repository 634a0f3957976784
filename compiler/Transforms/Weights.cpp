// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Transforms/Weights.h"

#include "dialects/Dist/Dist.h"

using namespace mlir;

namespace ashlar {

using namespace graph;

/// The parameter that a value is read from, whole or its first rows, or null.
static StateOp getReadParameter(Value value) {
  auto read = value.getDefiningOp<ReadOp>();
  if (!read)
    return nullptr;
  auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(read, read.getStateAttr());
  return state && state.getRole() == StateRole::Parameter ? state : nullptr;
}

StateOp getParameter(Value value) {
  StateOp state = getReadParameter(value);
  return state && state.getType() == value.getType() ? state : nullptr;
}

/// Whether panels can hold the weight as the product reads it, if it is one.
static bool fitsPanels(MatmulOp product, Value weight) {
  auto type = cast<RankedTensorType>(weight.getType());
  Type element = type.getElementType();
  if (type.getRank() != 2 || !type.hasStaticShape() || !(element.isF32() || element.isBF16()) ||
      !cast<RankedTensorType>(product.getA().getType()).getElementType().isF32())
    return false;
  auto concat = weight.getDefiningOp<ConcatOp>();
  return !concat || concat.getAxis() == (product.getTransposeB() ? 0u : 1u);
}

/// Whether parameters side by side are stored so. Along the first axis they follow each other in
/// memory; along another only panels hold them, and whoever reads no panels needs them computed.
static bool isStoredTogether(ConcatOp concat) {
  return concat.getAxis() == 0 || llvm::all_of(concat->getUsers(), [&](Operation *user) {
           auto product = dyn_cast<MatmulOp>(user);
           return isa<FusedOp>(user) ||
                  (product && product.getA() != concat.getResult() && fitsPanels(product, concat));
         });
}

SmallVector<StateOp> getWeightParts(Value value) {
  auto concat = value.getDefiningOp<ConcatOp>();
  if (!concat) {
    StateOp state = getReadParameter(value);
    return state ? SmallVector<StateOp>{state} : SmallVector<StateOp>();
  }
  if (!isStoredTogether(concat))
    return {};
  SmallVector<StateOp> parts;
  for (Value part : concat.getInputs()) {
    StateOp state = getParameter(part);
    if (!state)
      return {};
    parts.push_back(state);
  }
  return parts;
}

/// Whether a use is that of a product's weight [N, K].
static bool isTransposedWeight(OpOperand &use) {
  if (auto fused = dyn_cast<FusedOp>(use.getOwner()))
    return llvm::all_of(fused.getBlock().getArgument(use.getOperandNumber()).getUses(),
                        isTransposedWeight);
  auto product = dyn_cast<MatmulOp>(use.getOwner());
  return product && &use == &product.getBMutable() && product.getTransposeB() &&
         fitsPanels(product, use.get());
}

bool isGatheredWeight(Value value) {
  auto wait = value.getDefiningOp<dist::WaitOp>();
  auto gather = (wait ? wait.getPending() : value).getDefiningOp<dist::AllGatherOp>();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return gather && gather.getAxis() == 0 && type.getRank() == 2 && type.getElementType().isF32() &&
         llvm::all_of(value.getUses(), isTransposedWeight);
}

bool hasPackedWeight(MatmulOp product, Value weight) {
  return fitsPanels(product, weight) &&
         (!getWeightParts(weight).empty() || isGatheredWeight(weight));
}

bool hasPackedWeight(MatmulOp product) { return hasPackedWeight(product, product.getB()); }

} // namespace ashlar
