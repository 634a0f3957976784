// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Transforms/Weights.h"

using namespace mlir;

namespace ashlar {

using namespace graph;

StateOp getParameter(Value value) {
  auto read = value.getDefiningOp<ReadOp>();
  if (!read)
    return nullptr;
  auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(read, read.getStateAttr());
  return state && state.getRole() == StateRole::Parameter ? state : nullptr;
}

SmallVector<StateOp> getWeightParts(Value value) {
  SmallVector<Value> values = {value};
  if (auto concat = value.getDefiningOp<ConcatOp>())
    values.assign(concat.getInputs().begin(), concat.getInputs().end());
  SmallVector<StateOp> parts;
  for (Value part : values) {
    StateOp state = getParameter(part);
    if (!state)
      return {};
    parts.push_back(state);
  }
  return parts;
}

bool hasPackedWeight(MatmulOp product) {
  auto type = cast<RankedTensorType>(product.getB().getType());
  Type element = type.getElementType();
  if (type.getRank() != 2 || !(element.isF32() || element.isBF16()) ||
      getWeightParts(product.getB()).empty())
    return false;
  if (!cast<RankedTensorType>(product.getA().getType()).getElementType().isF32())
    return false;
  auto concat = product.getB().getDefiningOp<ConcatOp>();
  return !concat || concat.getAxis() == (product.getTransposeB() ? 0u : 1u);
}

} // namespace ashlar
