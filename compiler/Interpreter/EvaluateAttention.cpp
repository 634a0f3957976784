// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Evaluation.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::interpreter {
namespace {

LogicalResult evaluateCacheAppend(CacheAppendOp op, Call &call) {
  const Array &values = call.operand(1), &lengths = call.operand(2);
  Array &cache = call.result(0);
  cache.floats = call.operand(0).floats;
  int64_t positions = cache.shape[1], row = cache.shape[2] * cache.shape[3], seq = values.shape[1];
  if (values.shape[0] > cache.shape[0])
    return op.emitOpError() << "has " << values.shape[0] << " sequences for a cache of "
                            << cache.shape[0];
  for (int64_t b = 0; b < values.shape[0]; ++b) {
    int64_t length = lengths.integers[b];
    if (length < 0 || length + seq > positions)
      return op.emitOpError() << "puts " << seq << " positions behind " << length << " of sequence "
                              << b << " into a cache with room for " << positions;
    for (int64_t i = 0; i < seq * row; ++i)
      cache.floats[(b * positions + length) * row + i] = values.floats[b * seq * row + i];
  }
  return success();
}

/// Which keys take part for one query: the op's definition, word for word.
struct Visibility {
  bool causal;
  std::optional<int64_t> window;
  const Array *lengths, *mask;
  int64_t keys;

  bool sees(int64_t b, int64_t p, int64_t j) const {
    return (!lengths || j < lengths->integers[b]) && (!causal || j <= p) &&
           (!window || p - j < *window) && (!mask || mask->integers[b * keys + j] != 0);
  }
};

/// Attention to keys [begin, end), for one head of one query: into `output`, and the logsumexp that
/// is returned. `dot(j)` is the scaled product with key j, `value(j)` where its value begins.
double attend(int64_t begin, int64_t end, llvm::function_ref<bool(int64_t)> sees,
              llvm::function_ref<double(int64_t)> dot,
              llvm::function_ref<const double *(int64_t)> value,
              llvm::MutableArrayRef<double> output) {
  std::vector<double> scores(std::max<int64_t>(end - begin, 0), -INFINITY);
  double largest = -INFINITY, sum = 0;
  for (int64_t j = begin; j < end; ++j)
    if (sees(j)) {
      scores[j - begin] = dot(j);
      largest = std::max(largest, scores[j - begin]);
    }
  if (largest == -INFINITY)
    return -INFINITY;
  for (double score : scores)
    sum += std::exp(score - largest);
  for (int64_t j = begin; j < end; ++j)
    for (size_t d = 0; d < output.size() && scores[j - begin] != -INFINITY; ++d)
      output[d] += std::exp(scores[j - begin] - largest) / sum * value(j)[d];
  return largest + std::log(sum);
}

LogicalResult evaluateAttention(AttentionOp op, Call &call) {
  const Array &q = call[op.getQueries()], &k = call[op.getKeys()], &v = call[op.getValues()];
  auto optional = [&](Value value) { return value ? &call[value] : nullptr; };
  const Array *offsets = optional(op.getQueryOffsets());
  int64_t queries = q.shape[1], heads = q.shape[2], width = q.shape[3];
  int64_t keys = k.shape[1], kvHeads = k.shape[2], valueWidth = v.shape[3];
  Visibility visibility{op.getCausal(), op.getWindow(), optional(op.getKeyLengths()),
                        optional(op.getKeyMask()), keys};
  double scale = op.getScale().convertToDouble();
  int64_t parts = op.getParts().value_or(1), partKeys = op.getPartKeys().value_or(keys);
  for (int64_t b = 0; b < q.shape[0]; ++b)
    for (int64_t i = 0; i < queries; ++i)
      for (int64_t h = 0; h < heads; ++h) {
        int64_t kv = h / (heads / kvHeads), row = (b * queries + i) * heads + h;
        int64_t p = (offsets ? offsets->integers[b] : 0) + i;
        auto at = [&](int64_t j) { return (b * keys + j) * kvHeads + kv; };
        auto dot = [&](int64_t j) {
          double product = 0;
          for (int64_t d = 0; d < width; ++d)
            product += q.floats[row * width + d] * k.floats[at(j) * width + d];
          return scale * product;
        };
        for (int64_t part = 0; part < parts; ++part) {
          llvm::MutableArrayRef<double> output(
              call.result(0).floats.data() + (row * parts + part) * valueWidth, valueWidth);
          call.result(1).floats[row * parts + part] = attend(
              part * partKeys, std::min((part + 1) * partKeys, keys),
              [&](int64_t j) { return visibility.sees(b, p, j); }, dot,
              [&](int64_t j) { return v.floats.data() + at(j) * valueWidth; }, output);
        }
      }
  return success();
}

LogicalResult evaluateMergeAttention(MergeAttentionOp, Call &call) {
  const Array &outputs = call.operand(0), &sums = call.operand(1);
  int64_t parts = outputs.shape[3], width = outputs.shape[4];
  for (int64_t row = 0; row < sums.size() / parts; ++row) {
    const double *part = sums.floats.data() + row * parts;
    double largest = *std::max_element(part, part + parts), sum = 0;
    call.result(1).floats[row] = largest;
    if (largest == -INFINITY)
      continue;
    for (int64_t p = 0; p < parts; ++p)
      sum += std::exp(part[p] - largest);
    call.result(1).floats[row] = largest + std::log(sum);
    for (int64_t p = 0; p < parts; ++p)
      for (int64_t d = 0; d < width && part[p] != -INFINITY; ++d)
        call.result(0).floats[row * width + d] +=
            std::exp(part[p] - largest) / sum * outputs.floats[(row * parts + p) * width + d];
  }
  return success();
}

} // namespace

void registerAttentionOps(Evaluations &table) {
  table.add<CacheAppendOp>(evaluateCacheAppend);
  table.add<AttentionOp>(evaluateAttention);
  table.add<MergeAttentionOp>(evaluateMergeAttention);
}

} // namespace ashlar::interpreter
