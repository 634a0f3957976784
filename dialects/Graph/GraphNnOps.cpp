// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Graph/Graph.h"

using namespace mlir;
using namespace ashlar::graph;

static RankedTensorType tensor(Value value) { return cast<RankedTensorType>(value.getType()); }

static Polynomial perElement(Value value, int64_t operations) {
  Polynomial count = getElementCount(getDims(tensor(value)));
  count *= operations;
  return count;
}

//===----------------------------------------------------------------------===//
// graph.matmul
//===----------------------------------------------------------------------===//

LogicalResult MatmulOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto aType = tensor(adaptor.getA()), bType = tensor(adaptor.getB());
  Dims a = getDims(aType), b = getDims(bType);
  if (a.size() < 2 || b.size() < 2 || (b.size() > 2 && b.size() != a.size()))
    return emitOptionalError(
        loc, "'graph.matmul' op multiplies [..., m, k] by [k, n] or by [..., k, n], found ",
        toString(a), " and ", toString(b));
  if (adaptor.getTransposeB())
    std::swap(b[b.size() - 1], b[b.size() - 2]);
  if (a.back() != b[b.size() - 2])
    return emitOptionalError(loc, "'graph.matmul' op reduces over k = ", toString(a.back()),
                             " of a (", toString(a), ") and k = ", toString(b[b.size() - 2]),
                             " of b (", toString(getDims(bType)),
                             adaptor.getTransposeB() ? ", transposed)" : ")");
  for (size_t i = 0; b.size() > 2 && i + 2 < a.size(); ++i)
    if (a[i] != b[i])
      return emitOptionalError(loc, "'graph.matmul' op has leading dimensions ", toString(a[i]),
                               " and ", toString(b[i]), " at ", i);
  Dims c(a.begin(), a.end() - 1);
  c.push_back(b.back());
  results.push_back(getTensor(c, aType.getElementType()));
  return success();
}

Polynomial MatmulOp::getElementwiseFlops() { return Polynomial(0); }

Polynomial MatmulOp::getProductFlops() {
  Dims a = getDims(tensor(getA()));
  Dims all = getDims(tensor(getC()));
  all.push_back(a.back());
  Polynomial flops = getElementCount(all);
  flops *= 2;
  return flops;
}

//===----------------------------------------------------------------------===//
// graph.embedding
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto table = tensor(adaptor.getTable()), ids = tensor(adaptor.getIds());
  Dims dims = getDims(ids), tableDims = getDims(table);
  if (tableDims.size() != 2)
    return emitOptionalError(loc,
                             "'graph.embedding' op takes rows of a table [rows, width], found ",
                             toString(tableDims));
  dims.push_back(tableDims[1]);
  Type elementType = adaptor.getElementType().value_or(table.getElementType());
  if (!isa<FloatType>(elementType))
    return emitOptionalError(loc, "'graph.embedding' op widens to a floating-point type, found ",
                             elementType);
  results.push_back(getTensor(dims, elementType));
  return success();
}

Polynomial EmbeddingOp::getElementwiseFlops() { return Polynomial(0); }

Polynomial EmbeddingOp::getBytesRead(unsigned operand) {
  if (operand == 1)
    return getByteSize(getIds().getType());
  return perElement(getY(), getElementBytes(tensor(getTable()).getElementType()));
}

//===----------------------------------------------------------------------===//
// graph.softmax and the norms
//===----------------------------------------------------------------------===//

LogicalResult SoftmaxOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                          Adaptor adaptor, SmallVectorImpl<Type> &results) {
  if (tensor(adaptor.getX()).getRank() == 0)
    return emitOptionalError(loc, "'graph.softmax' op needs a last dimension");
  results.push_back(adaptor.getX().getType());
  return success();
}

Polynomial SoftmaxOp::getElementwiseFlops() { return perElement(getY(), 4); }
Polynomial SoftmaxOp::getTranscendentals() { return perElement(getY(), 1); }

/// Checks that each of `vectors` is [width], width being x's last dimension.
static LogicalResult inferNorm(std::optional<Location> loc, StringRef op, Value x,
                               ArrayRef<Value> vectors, SmallVectorImpl<Type> &results) {
  Dims dims = getDims(tensor(x));
  if (dims.empty() || !dims.back().isNumber())
    return emitOptionalError(
        loc, "'", op, "' op normalises a last dimension that is a number, found ", toString(dims));
  for (Value vector : vectors) {
    Dims width = getDims(tensor(vector));
    if (width.size() != 1 || width[0] != dims.back())
      return emitOptionalError(loc, "'", op, "' op takes scale and bias of dimension ",
                               toString(dims.back()), ", found ", toString(width));
  }
  results.push_back(x.getType());
  return success();
}

LogicalResult LayerNormOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  SmallVector<Value, 2> vectors = {adaptor.getScale()};
  if (adaptor.getBias())
    vectors.push_back(adaptor.getBias());
  return inferNorm(loc, getOperationName(), adaptor.getX(), vectors, results);
}

LogicalResult RmsNormOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                          Adaptor adaptor, SmallVectorImpl<Type> &results) {
  return inferNorm(loc, getOperationName(), adaptor.getX(), {adaptor.getScale()}, results);
}

Polynomial LayerNormOp::getElementwiseFlops() { return perElement(getY(), 8); }
Polynomial RmsNormOp::getElementwiseFlops() { return perElement(getY(), 4); }

//===----------------------------------------------------------------------===//
// graph.rope_table, graph.rope
//===----------------------------------------------------------------------===//

LogicalResult RopeTableOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims dims = getDims(tensor(adaptor.getPositions())),
       pairs = getDims(tensor(adaptor.getFrequencies()));
  if (dims.size() != 2 || pairs.size() != 1 || !pairs[0].isNumber())
    return emitOptionalError(
        loc, "'graph.rope_table' op takes positions [batch, seq] and frequencies [pairs], found ",
        toString(dims), " and ", toString(pairs));
  dims.push_back(pairs[0]);
  results.assign(2, getTensor(dims, Float32Type::get(context)));
  return success();
}

Polynomial RopeTableOp::getElementwiseFlops() { return perElement(getCosines(), 10); }
Polynomial RopeTableOp::getTranscendentals() { return perElement(getCosines(), 2); }

LogicalResult RopeOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                       SmallVectorImpl<Type> &results) {
  Dims x = getDims(tensor(adaptor.getX())), table = getDims(tensor(adaptor.getCosines()));
  if (adaptor.getCosines().getType() != adaptor.getSines().getType() || x.size() != 4 ||
      table.size() != 3 || x[0] != table[0] || x[1] != table[1])
    return emitOptionalError(
        loc,
        "'graph.rope' op takes x [batch, seq, heads, width] and cosines and sines [batch, "
        "seq, pairs], found ",
        toString(x), " and ", toString(table));
  if (!x[3].isNumber() || !table[2].isNumber() || 2 * table[2].size > x[3].size)
    return emitOptionalError(loc, "'graph.rope' op rotates ", toString(table[2]),
                             " pairs, more than a width of ", toString(x[3]), " holds");
  results.push_back(adaptor.getX().getType());
  return success();
}

Polynomial RopeOp::getElementwiseFlops() { return perElement(getY(), 3); }
