// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/lib/TensorCoreAttention.h"

#include "llvm/ADT/APFloat.h"

#include <cmath>

using namespace mlir;

namespace ashlar::test {
namespace {

using graph::AttentionOp;
using interpreter::Array;
using interpreter::Call;

constexpr int64_t kKeys = 64;  // of a tile
constexpr int64_t kDepth = 16; // of an mma, whose products are summed before they are added

float roundTo(Type element, double x) {
  Array one(element, {1});
  one.floats[0] = x;
  one.round(interpreter::Precision::F64);
  return static_cast<float>(one.floats[0]);
}

/// Rows of [batch, seq, heads, width] as the tensor cores take them: rounded.
struct Rows {
  Rows(const Array &array, Type element) : shape(array.shape), elements(array.floats.size()) {
    for (size_t i = 0; i < elements.size(); ++i)
      elements[i] = roundTo(element, array.floats[i]);
  }
  const float *at(int64_t b, int64_t i, int64_t h) const {
    return elements.data() + ((b * shape[1] + i) * shape[2] + h) * shape[3];
  }
  std::vector<int64_t> shape;
  std::vector<float> elements;
};

float multiply(const float *x, const float *y, int64_t width) {
  float sum = 0;
  for (int64_t k = 0; k < width; k += kDepth) {
    float part = 0;
    for (int64_t i = k; i < std::min(k + kDepth, width); ++i)
      part += x[i] * y[i]; // 16-bit factors: exact in f32
    sum += part;
  }
  return sum;
}

/// One query's attention to some keys, tile by tile.
struct OnlineRow {
  float maximum = -INFINITY;
  double sum = 0;
  std::vector<double> out;

  /// Adds keys [begin, end): those with a finite score.
  void add(ArrayRef<float> scores, llvm::function_ref<const float *(size_t)> value, Type element) {
    float raised = maximum;
    for (float score : scores)
      raised = std::max(raised, score);
    if (raised == -INFINITY)
      return;
    const float factor = std::exp2(maximum - raised);
    maximum = raised;
    sum *= factor;
    for (double &x : out)
      x *= factor;
    for (size_t j = 0; j < scores.size(); ++j) {
      const float weight = std::exp2(scores[j] - maximum);
      sum += weight;
      for (size_t d = 0; d < out.size(); ++d)
        out[d] += static_cast<double>(roundTo(element, weight)) * value(j)[d];
    }
  }
};

LogicalResult evaluate(AttentionOp op, Call &call, Type element) {
  constexpr float kLog2E = 1.44269504088896f, kLn2 = 0.69314718055995f;
  const Rows q(call[op.getQueries()], element), k(call[op.getKeys()], element),
      v(call[op.getValues()], element);
  auto optional = [&](Value value) { return value ? &call[value] : nullptr; };
  const Array *offsets = optional(op.getQueryOffsets()), *lengths = optional(op.getKeyLengths()),
              *mask = optional(op.getKeyMask());
  int64_t queries = q.shape[1], heads = q.shape[2], keys = k.shape[1], width = v.shape[3];
  int64_t parts = op.getParts().value_or(1), partKeys = op.getPartKeys().value_or(keys);
  const float scale = static_cast<float>(op.getScale().convertToDouble()) * kLog2E;
  for (int64_t b = 0; b < q.shape[0]; ++b)
    for (int64_t i = 0; i < queries; ++i)
      for (int64_t h = 0; h < heads; ++h) {
        int64_t kv = h / (heads / k.shape[2]), p = (offsets ? offsets->integers[b] : 0) + i;
        auto sees = [&](int64_t j) {
          return (!lengths || j < lengths->integers[b]) && (!op.getCausal() || j <= p) &&
                 (!op.getWindow() || p - j < static_cast<int64_t>(*op.getWindow())) &&
                 (!mask || mask->integers[b * keys + j] != 0);
        };
        for (int64_t part = 0; part < parts; ++part) {
          OnlineRow online;
          online.out.resize(width);
          const int64_t last = std::min((part + 1) * partKeys, keys);
          for (int64_t tile = part * partKeys; tile < last; tile += kKeys) {
            std::vector<float> scores(std::min(kKeys, last - tile), -INFINITY);
            for (int64_t j = tile; j < tile + static_cast<int64_t>(scores.size()); ++j)
              if (sees(j))
                scores[j - tile] = multiply(q.at(b, i, h), k.at(b, j, kv), q.shape[3]) * scale;
            online.add(scores, [&](size_t j) { return v.at(b, tile + j, kv); }, element);
          }
          const int64_t row = ((b * queries + i) * heads + h) * parts + part;
          for (int64_t d = 0; d < width; ++d)
            call.result(0).floats[row * width + d] =
                online.sum > 0 ? online.out[d] / online.sum : 0;
          call.result(1).floats[row] = online.maximum * kLn2 + std::log(online.sum);
        }
      }
  return success();
}

} // namespace

interpreter::Evaluations getTensorCoreEvaluations(Type element) {
  interpreter::Evaluations table = interpreter::Evaluations::all();
  table.add<AttentionOp>(
      [element](AttentionOp op, Call &call) { return evaluate(op, call, element); });
  return table;
}

} // namespace ashlar::test
