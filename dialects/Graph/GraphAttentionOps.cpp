// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Graph/Graph.h"

using namespace mlir;
using namespace ashlar::graph;

/// [batch, positions, heads, width] of a tensor, or of a cache (whose batch and positions are
/// bounds, not extents).
static Dims getKeyDims(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return getDims(tensor);
  Dims dims;
  for (int64_t size : cast<CacheType>(type).getShape())
    dims.push_back(Dim::number(size));
  return dims;
}

static Dims dimsOf(Value value) { return getDims(cast<RankedTensorType>(value.getType())); }

LogicalResult CacheAppendOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                              Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto cache = cast<CacheType>(adaptor.getCache().getType());
  Dims values = dimsOf(adaptor.getValues()), lengths = dimsOf(adaptor.getLengths());
  if (values.size() != 4 || values[2] != Dim::number(cache.getHeads()) ||
      values[3] != Dim::number(cache.getWidth()))
    return emitOptionalError(loc,
                             "'graph.cache_append' op puts values [batch, seq, heads, width] into ",
                             cache, ", found ", toString(values));
  if (lengths.size() != 1 || lengths[0] != values[0])
    return emitOptionalError(loc, "'graph.cache_append' op takes one length per sequence (",
                             toString(values[0]), "), found ", toString(lengths));
  if (values[0].isNumber() && values[0].size > cache.getSequences())
    return emitOptionalError(loc, "'graph.cache_append' op puts ", values[0].size,
                             " sequences into ", cache);
  results.push_back(cache);
  return success();
}

Polynomial CacheAppendOp::getElementwiseFlops() { return Polynomial(0); }

// What the cache holds already is not touched.
Polynomial CacheAppendOp::getBytesRead(unsigned operand) {
  Type type = getOperand(operand).getType();
  return isa<CacheType>(type) ? Polynomial(0) : getByteSize(type);
}

/// Checks an optional per-sequence operand.
static LogicalResult checkPerSequence(std::optional<Location> loc, StringRef what, Value operand,
                                      Dims expected) {
  if (!operand)
    return success();
  Dims found = dimsOf(operand);
  if (found == expected)
    return success();
  return emitOptionalError(loc, "'graph.attention' op takes ", what, " of dimensions ",
                           toString(expected), ", found ", toString(found));
}

/// Checks that the parts are there and cover the keys; how many keys a name stands for is not
/// known here.
static LogicalResult checkParts(std::optional<Location> loc, std::optional<int64_t> parts,
                                std::optional<int64_t> partKeys, Dim keys) {
  if (!parts && !partKeys)
    return success();
  if (!parts || !partKeys || *parts < 1 || *partKeys < 1)
    return emitOptionalError(loc, "'graph.attention' op takes `parts` of at least one key each");
  if (keys.isNumber() && (keys.size + *partKeys - 1) / *partKeys != *parts)
    return emitOptionalError(loc, "'graph.attention' op has ", *parts, " parts of ", *partKeys,
                             " keys for ", keys.size, " keys; they take ",
                             (keys.size + *partKeys - 1) / *partKeys);
  return success();
}

LogicalResult AttentionOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims q = dimsOf(adaptor.getQueries());
  Dims k = getKeyDims(adaptor.getKeys().getType()), v = getKeyDims(adaptor.getValues().getType());
  bool cached = isa<CacheType>(adaptor.getKeys().getType());
  if (q.size() != 4 || k.size() != 4 || v.size() != 4)
    return emitOptionalError(
        loc,
        "'graph.attention' op takes queries, keys and values [batch, seq, heads, width], found ",
        toString(q), ", ", toString(k), " and ", toString(v));
  if (k[0] != v[0] || k[1] != v[1] || k[2] != v[2] || (!cached && k[0] != q[0]) || q[3] != k[3] ||
      cached != isa<CacheType>(adaptor.getValues().getType()))
    return emitOptionalError(loc, "'graph.attention' op has queries ", toString(q), ", keys ",
                             toString(k), " and values ", toString(v),
                             ", which do not belong together");
  if (!q[2].isNumber() || !k[2].isNumber() || k[2].size == 0 || q[2].size % k[2].size != 0)
    return emitOptionalError(loc, "'graph.attention' op has ", toString(q[2]),
                             " query heads, not a multiple of ", toString(k[2]),
                             " key-value heads");
  if (!q[3].isNumber() || !v[3].isNumber())
    return emitOptionalError(loc, "'graph.attention' op needs head widths that are numbers");
  if (cached && (!adaptor.getKeyLengths() || !adaptor.getQueryOffsets()))
    return emitOptionalError(
        loc, "'graph.attention' op over a cache needs `offsets` and `lengths`: how many positions "
             "are filled is not in the cache's type");
  if (failed(checkPerSequence(loc, "query offsets", adaptor.getQueryOffsets(), {q[0]})) ||
      failed(checkPerSequence(loc, "key lengths", adaptor.getKeyLengths(), {q[0]})))
    return failure();
  if (cached && adaptor.getKeyMask())
    return emitOptionalError(loc,
                             "'graph.attention' op has no key mask over a cache; use `lengths`");
  if (failed(checkPerSequence(loc, "a key mask", adaptor.getKeyMask(), {q[0], k[1]})))
    return failure();
  if (adaptor.getWindow() && (*adaptor.getWindow() < 1 || !adaptor.getCausal()))
    return emitOptionalError(loc, "'graph.attention' op has a window of ", *adaptor.getWindow(),
                             "; a window is at least 1 and goes with `causal`");
  if (failed(checkParts(loc, adaptor.getParts(), adaptor.getPartKeys(), k[1])))
    return failure();
  q.pop_back();
  if (adaptor.getParts())
    q.push_back(Dim::number(*adaptor.getParts()));
  Dims output = q;
  output.push_back(v[3]);
  results.push_back(
      getTensor(output, cast<RankedTensorType>(adaptor.getQueries().getType()).getElementType()));
  results.push_back(getTensor(q, Float32Type::get(context)));
  return success();
}

// All counts take every pair of query and key; what a causal mask or a window leaves out is not
// taken off. Over a cache the keys are counted at its room.
static Polynomial countPairs(AttentionOp op) {
  Dims dims = dimsOf(op.getQueries());
  dims[3] = getKeyDims(op.getKeys().getType())[1];
  return getElementCount(dims);
}

Polynomial AttentionOp::getProductFlops() {
  Dims dims = dimsOf(getQueries());
  dims.push_back(getKeyDims(getKeys().getType())[1]);
  Polynomial products = getElementCount(dims);
  dims[3] = getKeyDims(getValues().getType())[3];
  products += getElementCount(dims);
  products *= 2;
  return products;
}

Polynomial AttentionOp::getTranscendentals() { return countPairs(*this); }

// Scale, mask, maximum, sum.
Polynomial AttentionOp::getElementwiseFlops() {
  Polynomial flops = countPairs(*this);
  flops *= 4;
  return flops;
}

LogicalResult MergeAttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                 Adaptor adaptor, SmallVectorImpl<Type> &results) {
  Dims outputs = dimsOf(adaptor.getOutputs()), sums = dimsOf(adaptor.getLogsumexps());
  if (outputs.size() != 5 || ArrayRef(outputs).drop_back() != ArrayRef(sums) ||
      !outputs[3].isNumber() || outputs[3].size < 1)
    return emitOptionalError(loc,
                             "'graph.merge_attention' op takes outputs [batch, seq, heads, parts, "
                             "width] and logsumexps [batch, seq, heads, parts] of a number of "
                             "parts, found ",
                             toString(outputs), " and ", toString(sums));
  outputs.erase(outputs.begin() + 3);
  sums.pop_back();
  auto elementOf = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType();
  };
  results.push_back(getTensor(outputs, elementOf(adaptor.getOutputs())));
  results.push_back(getTensor(sums, elementOf(adaptor.getLogsumexps())));
  return success();
}

Polynomial MergeAttentionOp::getTranscendentals() {
  return getElementCount(dimsOf(getLogsumexps()));
}

// A multiplication and an addition for each element of the parts.
Polynomial MergeAttentionOp::getElementwiseFlops() {
  Polynomial flops = getElementCount(dimsOf(getOutputs()));
  flops *= 2;
  return flops;
}
