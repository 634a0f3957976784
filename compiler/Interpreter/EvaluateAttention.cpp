// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Evaluation.h"

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

LogicalResult evaluateAttention(AttentionOp op, Call &call) {
  const Array &q = call[op.getQueries()], &k = call[op.getKeys()], &v = call[op.getValues()];
  auto optional = [&](Value value) { return value ? &call[value] : nullptr; };
  const Array *offsets = optional(op.getQueryOffsets());
  int64_t queries = q.shape[1], heads = q.shape[2], width = q.shape[3];
  int64_t keys = k.shape[1], kvHeads = k.shape[2], valueWidth = v.shape[3];
  Visibility visibility{op.getCausal(), op.getWindow(), optional(op.getKeyLengths()),
                        optional(op.getKeyMask()), keys};
  double scale = op.getScale().convertToDouble();
  std::vector<double> scores(keys);
  for (int64_t b = 0; b < q.shape[0]; ++b)
    for (int64_t i = 0; i < queries; ++i)
      for (int64_t h = 0; h < heads; ++h) {
        int64_t kv = h / (heads / kvHeads), row = (b * queries + i) * heads + h;
        int64_t p = (offsets ? offsets->integers[b] : 0) + i;
        double largest = -INFINITY, sum = 0;
        for (int64_t j = 0; j < keys; ++j) {
          scores[j] = -INFINITY;
          if (!visibility.sees(b, p, j))
            continue;
          double dot = 0;
          for (int64_t d = 0; d < width; ++d)
            dot +=
                q.floats[row * width + d] * k.floats[((b * keys + j) * kvHeads + kv) * width + d];
          scores[j] = scale * dot;
          largest = std::max(largest, scores[j]);
        }
        call.result(1).floats[row] = -INFINITY;
        if (largest == -INFINITY)
          continue;
        for (int64_t j = 0; j < keys; ++j)
          sum += std::exp(scores[j] - largest);
        call.result(1).floats[row] = largest + std::log(sum);
        for (int64_t j = 0; j < keys; ++j)
          for (int64_t d = 0; d < valueWidth && scores[j] != -INFINITY; ++d)
            call.result(0).floats[row * valueWidth + d] +=
                std::exp(scores[j] - largest) / sum *
                v.floats[((b * keys + j) * kvHeads + kv) * valueWidth + d];
      }
  return success();
}

} // namespace

void registerAttentionOps(Evaluations &table) {
  table.add<CacheAppendOp>(evaluateCacheAppend);
  table.add<AttentionOp>(evaluateAttention);
}

} // namespace ashlar::interpreter
