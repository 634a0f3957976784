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

LogicalResult evaluate(AttentionOp op, Call &call, Type element) {
  constexpr float kLog2E = 1.44269504088896f, kLn2 = 0.69314718055995f;
  const Rows q(call[op.getQueries()], element), k(call[op.getKeys()], element),
      v(call[op.getValues()], element);
  auto optional = [&](Value value) { return value ? &call[value] : nullptr; };
  const Array *offsets = optional(op.getQueryOffsets()), *lengths = optional(op.getKeyLengths()),
              *mask = optional(op.getKeyMask());
  int64_t queries = q.shape[1], heads = q.shape[2], keys = k.shape[1], width = v.shape[3];
  const float scale = static_cast<float>(op.getScale().convertToDouble()) * kLog2E;
  for (int64_t b = 0; b < q.shape[0]; ++b)
    for (int64_t i = 0; i < queries; ++i)
      for (int64_t h = 0; h < heads; ++h) {
        int64_t kv = h / (heads / k.shape[2]), p = (offsets ? offsets->integers[b] : 0) + i;
        auto sees = [&](int64_t j) {
          return (!lengths || j < lengths->integers[b]) && (!op.getCausal() || j <= p) &&
                 (!op.getWindow() || p - j < *op.getWindow()) &&
                 (!mask || mask->integers[b * keys + j] != 0);
        };
        float maximum = -INFINITY;
        double sum = 0;
        std::vector<double> out(width);
        for (int64_t tile = 0; tile < keys; tile += kKeys) {
          const int64_t end = std::min(tile + kKeys, keys);
          std::vector<float> scores(end - tile, -INFINITY);
          float raised = maximum;
          for (int64_t j = tile; j < end; ++j)
            if (sees(j)) {
              scores[j - tile] = multiply(q.at(b, i, h), k.at(b, j, kv), q.shape[3]) * scale;
              raised = std::max(raised, scores[j - tile]);
            }
          if (raised == -INFINITY)
            continue;
          const float factor = std::exp2(maximum - raised);
          maximum = raised;
          sum *= factor;
          for (double &x : out)
            x *= factor;
          for (int64_t j = tile; j < end; ++j) {
            const float weight = std::exp2(scores[j - tile] - maximum);
            sum += weight;
            for (int64_t d = 0; d < width; ++d)
              out[d] += static_cast<double>(roundTo(element, weight)) * v.at(b, j, kv)[d];
          }
        }
        const int64_t row = (b * queries + i) * heads + h;
        for (int64_t d = 0; d < width; ++d)
          call.result(0).floats[row * width + d] = sum > 0 ? out[d] / sum : 0;
        call.result(1).floats[row] = maximum * kLn2 + std::log(sum);
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
