// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Graph/Graph.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ashlar::graph;

static RankedTensorType tensor(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Fails with a diagnostic unless 0 <= axis < rank.
static LogicalResult checkAxis(std::optional<Location> loc, StringRef op, int64_t axis,
                               RankedTensorType type) {
  if (axis >= 0 && axis < type.getRank())
    return success();
  return emitOptionalError(loc, "'", op, "' op axis ", axis, " is outside a tensor of rank ",
                           type.getRank());
}

LogicalResult IotaOp::verify() {
  auto type = tensor(getResult());
  if (failed(checkAxis(getLoc(), getOperationName(), getAxis(), type)))
    return failure();
  if (!type.getElementType().isIntOrFloat() || type.getElementType().isInteger(1))
    return emitOpError() << "counts in integers or floating point, found " << type.getElementType();
  return success();
}

//===----------------------------------------------------------------------===//
// graph.broadcast, graph.reshape
//===----------------------------------------------------------------------===//

LogicalResult BroadcastOp::verify() {
  auto from = tensor(getX()), to = tensor(getY());
  auto joined = broadcast(getDims(from), getDims(to));
  if (from.getElementType() != to.getElementType() || failed(joined) || *joined != getDims(to) ||
      from.getRank() > to.getRank())
    return emitOpError() << "cannot broadcast " << from << " to " << to
                         << "; dimensions are aligned at the last one, and only those of 1 stretch";
  return success();
}

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  return getX().getType() == getY().getType() ? getX() : Value();
}

LogicalResult ReshapeOp::verify() {
  auto from = tensor(getX()), to = tensor(getY());
  if (from.getElementType() != to.getElementType())
    return emitOpError() << "changes the element type from " << from.getElementType() << " to "
                         << to.getElementType();
  Monomial a = getElementCount(getDims(from)).terms.front();
  Monomial b = getElementCount(getDims(to)).terms.front();
  if (a.scale != b.scale || a.names != b.names)
    return emitOpError() << "changes the number of elements: " << toString(getDims(from)) << " to "
                         << toString(getDims(to));
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getY().getType())
    return getX();
  if (auto constant = dyn_cast_or_null<DenseElementsAttr>(adaptor.getX()))
    return constant.reshape(tensor(getY()));
  return {};
}

namespace {
/// reshape(reshape(x)) => reshape(x)
struct FoldReshapeOfReshape : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<ReshapeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "its operand is not a reshape");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), inner.getX());
    return success();
  }
};

/// transpose(transpose(x)) => transpose(x)
struct FoldTransposeOfTranspose : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<TransposeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "its operand is not a transpose");
    SmallVector<int64_t> composed;
    for (int64_t index : op.getPermutation())
      composed.push_back(inner.getPermutation()[index]);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, inner.getX(), composed);
    return success();
  }
};
} // namespace

void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldReshapeOfReshape>(context);
}

//===----------------------------------------------------------------------===//
// graph.transpose, graph.slice, graph.concat, graph.gather
//===----------------------------------------------------------------------===//

LogicalResult TransposeOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto type = tensor(adaptor.getX());
  Dims dims = getDims(type), permuted;
  llvm::SmallBitVector seen(dims.size());
  for (int64_t index : adaptor.getPermutation()) {
    if (index < 0 || index >= type.getRank() || seen.test(index))
      break;
    seen.set(index);
    permuted.push_back(dims[index]);
  }
  if (permuted.size() != dims.size() || adaptor.getPermutation().size() != dims.size())
    return emitOptionalError(loc, "'graph.transpose' op [", adaptor.getPermutation(),
                             "] is no permutation of ", dims.size(), " dimensions");
  results.push_back(getTensor(permuted, type.getElementType()));
  return success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  for (auto [index, from] : llvm::enumerate(getPermutation()))
    if (static_cast<int64_t>(index) != from)
      return {};
  return getX();
}

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldTransposeOfTranspose>(context);
}

LogicalResult SliceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                        SmallVectorImpl<Type> &results) {
  auto type = tensor(adaptor.getX());
  int64_t axis = adaptor.getAxis(), offset = adaptor.getOffset(), size = adaptor.getSize();
  if (failed(checkAxis(loc, getOperationName(), axis, type)))
    return failure();
  Dims dims = getDims(type);
  if (!dims[axis].isNumber())
    return emitOptionalError(loc, "'graph.slice' op cuts dimension '", toString(dims[axis]),
                             "'; only a dimension that is a number can be cut");
  if (offset < 0 || size < 1 || offset > dims[axis].size - size)
    return emitOptionalError(loc, "'graph.slice' op [", offset, ", ", offset + size,
                             ") is outside dimension ", axis, " of size ", dims[axis].size);
  dims[axis] = Dim::number(size);
  results.push_back(getTensor(dims, type.getElementType()));
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  return getX().getType() == getY().getType() ? getX() : Value();
}

LogicalResult ConcatOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  if (adaptor.getInputs().empty())
    return emitOptionalError(loc, "'graph.concat' op needs at least one input");
  auto first = tensor(adaptor.getInputs().front());
  int64_t axis = adaptor.getAxis();
  if (failed(checkAxis(loc, getOperationName(), axis, first)))
    return failure();
  Dims dims = getDims(first);
  int64_t total = 0;
  for (Value input : adaptor.getInputs()) {
    Dims other = getDims(tensor(input));
    bool same =
        other.size() == dims.size() && tensor(input).getElementType() == first.getElementType();
    for (size_t i = 0; same && i < dims.size(); ++i)
      same = static_cast<int64_t>(i) == axis ? other[i].isNumber() : other[i] == dims[i];
    if (!same)
      return emitOptionalError(loc, "'graph.concat' op input ", tensor(input),
                               " does not continue ", first, " along axis ", axis,
                               "; the other dimensions are equal and this one is a number");
    total += other[axis].size;
  }
  dims[axis] = Dim::number(total);
  results.push_back(getTensor(dims, first.getElementType()));
  return success();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 ? getInputs().front() : Value();
}

LogicalResult GatherOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto x = tensor(adaptor.getX()), indices = tensor(adaptor.getIndices());
  Dims dims = getDims(x), rows = getDims(indices);
  if (dims.size() < 2 || rows.size() != 1 || rows[0] != dims[0])
    return emitOptionalError(
        loc, "'graph.gather' op takes x [batch, n, ...] and indices [batch], found ",
        toString(dims), " and ", toString(rows));
  dims.erase(dims.begin() + 1);
  results.push_back(getTensor(dims, x.getElementType()));
  return success();
}

Polynomial GatherOp::getElementwiseFlops() { return Polynomial(0); }

Polynomial GatherOp::getBytesRead(unsigned operand) {
  return getByteSize(operand == 0 ? getY().getType() : getIndices().getType());
}

//===----------------------------------------------------------------------===//
// graph.reduce
//===----------------------------------------------------------------------===//

LogicalResult ReduceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto type = tensor(adaptor.getX());
  int64_t axis = adaptor.getAxis();
  if (failed(checkAxis(loc, getOperationName(), axis, type)))
    return failure();
  Dims dims = getDims(type);
  if (adaptor.getKeepDims())
    dims[axis] = Dim::number(1);
  else
    dims.erase(dims.begin() + axis);
  results.push_back(getTensor(dims, type.getElementType()));
  return success();
}

Polynomial ReduceOp::getElementwiseFlops() { return getElementCount(getDims(tensor(getX()))); }

LogicalResult CumsumOp::verify() {
  auto type = tensor(getX());
  if (type.getElementType().isInteger(1))
    return emitOpError() << "adds numbers, found " << type;
  return checkAxis(getLoc(), getOperationName(), getAxis(), type);
}

Polynomial CumsumOp::getElementwiseFlops() { return getElementCount(getDims(tensor(getX()))); }
