// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What ops compute where the dimension that they combine is cut, or where the row's number on this
// rank is not its position.

#include "dialects/Graph/Graph.h"

using namespace mlir;
using namespace ashlar::graph;

using Combine = ShardingRule::Combine;

static RankedTensorType tensor(Value value) { return cast<RankedTensorType>(value.getType()); }

/// A scalar of an element type.
static Value scalar(ImplicitLocOpBuilder &b, Type type, double value) {
  auto shaped = RankedTensorType::get({}, type);
  if (isa<FloatType>(type))
    return ConstantOp::create(
        b, DenseElementsAttr::get(shaped, cast<Attribute>(b.getFloatAttr(type, value))));
  return ConstantOp::create(
      b, DenseElementsAttr::get(
             shaped, cast<Attribute>(b.getIntegerAttr(type, static_cast<int64_t>(value)))));
}

/// The value in another element type.
static Value cast(ImplicitLocOpBuilder &b, Value value, Type elementType) {
  auto type = withElementType(tensor(value), elementType);
  return type == value.getType() ? value : Value(CastOp::create(b, type, value));
}

static Value reduce(ImplicitLocOpBuilder &b, ReduceKind kind, Value x, int64_t axis) {
  return ReduceOp::create(b, kind, x, axis, /*keep_dims=*/true);
}

SmallVector<Value> IotaOp::partition(PartitionContext &context) {
  ImplicitLocOpBuilder &b = context.builder();
  Type elementType = context.resultType(0).getElementType();
  Value local = IotaOp::create(b, context.resultType(0), getAxisAttr());
  return {AddOp::create(b, local, ::cast(b, context.getOrigin(getAxis()), elementType))};
}

// The mean of all is the sum of the sums over the sum of the counts.
SmallVector<Value> ReduceOp::partition(PartitionContext &context) {
  ImplicitLocOpBuilder &b = context.builder();
  auto x = tensor(context.operand(0));
  unsigned axis = getAxis();
  Value sum = ReduceOp::create(b, ReduceKind::Sum, context.operand(0), axis, getKeepDims());
  sum = context.combine(sum, Combine::Sum, axis);
  Dim whole = getShardingRule().factors[axis].size;
  if (whole.isNumber())
    return {DivOp::create(b, sum, scalar(b, x.getElementType(), static_cast<double>(whole.size)))};
  auto line = getTensor({getDims(x)[axis]}, x.getElementType());
  Value ones = BroadcastOp::create(b, line, scalar(b, x.getElementType(), 1));
  Value count = ReduceOp::create(b, ReduceKind::Sum, ones, 0, false);
  return {DivOp::create(b, sum, context.combine(count, Combine::Sum, axis))};
}

// An id that lies in another rank's rows lies outside of this rank's, and gives zeros.
SmallVector<Value> EmbeddingOp::partition(PartitionContext &context) {
  ImplicitLocOpBuilder &b = context.builder();
  unsigned rows = getShardingRule().factors.size() - 1;
  Value ids = context.operand(1);
  Value origin = ::cast(b, context.getOrigin(rows), tensor(ids).getElementType());
  return {EmbeddingOp::create(b, context.operand(0), SubOp::create(b, ids, origin),
                              getElementTypeAttr())};
}

SmallVector<Value> SoftmaxOp::partition(PartitionContext &context) {
  ImplicitLocOpBuilder &b = context.builder();
  Value x = context.operand(0);
  Type narrow = tensor(x).getElementType();
  unsigned axis = tensor(x).getRank() - 1;
  x = ::cast(b, x, narrow.isF64() ? narrow : b.getF32Type());
  Value largest = context.combine(reduce(b, ReduceKind::Max, x, axis), Combine::Max, axis);
  Value exponentials = ExpOp::create(b, SubOp::create(b, x, largest));
  Value sum = context.combine(reduce(b, ReduceKind::Sum, exponentials, axis), Combine::Sum, axis);
  return {::cast(b, DivOp::create(b, exponentials, sum), narrow)};
}

/// The mean over the last dimension, of `width` elements in all, this rank's part of which is in x.
static Value meanOverRanks(PartitionContext &context, Value x, int64_t width) {
  ImplicitLocOpBuilder &b = context.builder();
  unsigned axis = tensor(x).getRank() - 1;
  Value sum = context.combine(reduce(b, ReduceKind::Sum, x, axis), Combine::Sum, axis);
  return DivOp::create(b, sum, scalar(b, tensor(x).getElementType(), static_cast<double>(width)));
}

/// x / sqrt(meanSquare + epsilon) scale + bias, in x's element type.
static Value normalise(PartitionContext &context, Value x, int64_t width, double epsilon,
                       Value scale, Value bias) {
  ImplicitLocOpBuilder &b = context.builder();
  Type wide = tensor(x).getElementType();
  Value meanSquare = meanOverRanks(context, MulOp::create(b, x, x), width);
  Value root = RsqrtOp::create(b, AddOp::create(b, meanSquare, scalar(b, wide, epsilon)));
  Value y = MulOp::create(b, MulOp::create(b, x, root), ::cast(b, scale, wide));
  return bias ? Value(AddOp::create(b, y, ::cast(b, bias, wide))) : y;
}

SmallVector<Value> LayerNormOp::partition(PartitionContext &context) {
  ImplicitLocOpBuilder &b = context.builder();
  int64_t width = tensor(getX()).getShape().back();
  Type narrow = tensor(getX()).getElementType();
  Value x = ::cast(b, context.operand(0), narrow.isF64() ? narrow : b.getF32Type());
  x = SubOp::create(b, x, meanOverRanks(context, x, width));
  Value y = normalise(context, x, width, getEpsilon().convertToDouble(), context.operand(1),
                      getBias() ? context.operand(2) : Value());
  return {::cast(b, y, narrow)};
}

SmallVector<Value> RmsNormOp::partition(PartitionContext &context) {
  ImplicitLocOpBuilder &b = context.builder();
  Type narrow = tensor(getX()).getElementType();
  Value x = ::cast(b, context.operand(0), narrow.isF64() ? narrow : b.getF32Type());
  Value y = normalise(context, x, tensor(getX()).getShape().back(), getEpsilon().convertToDouble(),
                      context.operand(1), Value());
  return {::cast(b, y, narrow)};
}

//===----------------------------------------------------------------------===//
// graph.attention
//===----------------------------------------------------------------------===//

namespace {

/// Moves per-sequence positions by the origin of this rank's queries or keys.
Value shift(ImplicitLocOpBuilder &b, Value positions, Value origin, bool back) {
  Value by = cast(b, origin, tensor(positions).getElementType());
  return back ? Value(SubOp::create(b, positions, by)) : Value(AddOp::create(b, positions, by));
}

/// Joins what attention over each rank's keys gave, weighted by its share of the exponentials
/// (Dao et al., 2022, for blocks of keys; the same holds for ranks).
SmallVector<Value> joinKeys(PartitionContext &context, unsigned keys, Value output, Value lse) {
  ImplicitLocOpBuilder &b = context.builder();
  Type narrow = tensor(output).getElementType(), wide = b.getF32Type();
  Value nothing = scalar(b, wide, -INFINITY), zero = scalar(b, wide, 0);
  Value largest = context.combine(lse, Combine::Max, keys);
  // A query with no key on any rank has minus infinity here, whose difference is no number.
  Value none = CompareOp::create(b, ComparePredicate::Eq, lse, nothing);
  Value weight = SelectOp::create(b, none, zero, ExpOp::create(b, SubOp::create(b, lse, largest)));
  Value sum = context.combine(weight, Combine::Sum, keys);
  Value isEmpty = CompareOp::create(b, ComparePredicate::Eq, sum, zero);
  Value safe = SelectOp::create(b, isEmpty, scalar(b, wide, 1), sum);
  Dims dims = getDims(tensor(weight));
  dims.push_back(Dim::number(1));
  Value share = ReshapeOp::create(b, getTensor(dims, wide), DivOp::create(b, weight, safe));
  Value joined =
      context.combine(MulOp::create(b, cast(b, output, wide), share), Combine::Sum, keys);
  Value total = AddOp::create(b, largest, LogOp::create(b, safe));
  return {cast(b, joined, narrow), SelectOp::create(b, isEmpty, nothing, total)};
}

} // namespace

SmallVector<Value> AttentionOp::partition(PartitionContext &context) {
  constexpr unsigned queryFactor = 1, keyFactor = 4; // of the rule
  ImplicitLocOpBuilder &b = context.builder();
  unsigned next = 3;
  Value offsets = getQueryOffsets() ? context.operand(next++) : Value();
  Value lengths = getKeyLengths() ? context.operand(next++) : Value();
  Value mask = getKeyMask() ? context.operand(next++) : Value();
  bool cutsQueries = context.isCut(queryFactor), cutsKeys = context.isCut(keyFactor);
  if (getCausal() && !offsets) {
    auto type = getTensor({getDims(tensor(context.operand(0)))[0]}, b.getI64Type());
    offsets = BroadcastOp::create(b, type, scalar(b, b.getI64Type(), 0));
  }
  if (cutsQueries && getCausal())
    offsets = shift(b, offsets, context.getOrigin(queryFactor), /*back=*/false);
  if (cutsKeys) {
    Value origin = context.getOrigin(keyFactor);
    if (offsets)
      offsets = shift(b, offsets, origin, /*back=*/true);
    if (lengths)
      lengths = shift(b, lengths, origin, /*back=*/true);
  }
  auto local = AttentionOp::create(b, context.operand(0), context.operand(1), context.operand(2),
                                   offsets, lengths, mask, getScaleAttr(), getCausalAttr(),
                                   getWindowAttr(), getPartsAttr(), getPartKeysAttr());
  if (!cutsKeys)
    return {local.getOutput(), local.getLogsumexp()};
  return joinKeys(context, keyFactor, local.getOutput(), local.getLogsumexp());
}
