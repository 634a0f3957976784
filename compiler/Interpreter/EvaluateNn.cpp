// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Evaluation.h"
#include "compiler/Interpreter/Loops.h"

#include <cmath>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::interpreter {
namespace {

/// b^T of each of `batches` matrices [n, k].
std::vector<double> transpose(const std::vector<double> &b, int64_t batches, int64_t n, int64_t k) {
  std::vector<double> transposed(b.size());
  for (int64_t batch = 0; batch < batches; ++batch)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l)
        transposed[(batch * k + l) * n + j] = b[(batch * n + j) * k + l];
  return transposed;
}

LogicalResult evaluateMatmul(MatmulOp op, Call &call) {
  const Array &a = call.operand(0), &b = call.operand(1);
  Array &c = call.result(0);
  int64_t rank = c.rank(), n = c.shape[rank - 1], k = a.shape.back();
  bool shared = b.rank() == 2; // one matrix for all leading dimensions, which are then more rows
  int64_t batches = shared ? 1 : c.count(0, rank - 2),
          m = shared ? c.count(0, rank - 1) : c.shape[rank - 2];
  std::vector<double> transposed;
  if (op.getTransposeB())
    transposed = transpose(b.floats, batches, n, k);
  const std::vector<double> &right = op.getTransposeB() ? transposed : b.floats;
  for (int64_t batch = 0; batch < batches; ++batch)
    multiplyAdd(m, n, k, a.floats.data() + batch * m * k, right.data() + batch * k * n,
                c.floats.data() + batch * m * n);
  return success();
}

LogicalResult evaluateEmbedding(EmbeddingOp, Call &call) {
  const Array &table = call.operand(0), &ids = call.operand(1);
  int64_t rows = table.shape[0], width = table.shape[1];
  for (int64_t i = 0; i < ids.size(); ++i) {
    int64_t row = ids.integers[i];
    for (int64_t j = 0; j < width; ++j)
      call.result(0).floats[i * width + j] =
          row >= 0 && row < rows ? table.floats[row * width + j] : 0.0;
  }
  return success();
}

/// Calls `row(x, y)` for every row along the last dimension.
template <typename Row>
void forEachRow(const Array &x, Array &y, Row row) {
  int64_t width = x.shape.back();
  for (int64_t i = 0; i < x.size(); i += width)
    row(x.floats.data() + i, y.floats.data() + i, width);
}

LogicalResult evaluateSoftmax(SoftmaxOp, Call &call) {
  forEachRow(call.operand(0), call.result(0), [](const double *x, double *y, int64_t n) {
    double largest = *std::max_element(x, x + n), sum = 0;
    for (int64_t i = 0; i < n; ++i)
      sum += y[i] = std::exp(x[i] - largest);
    for (int64_t i = 0; i < n; ++i)
      y[i] /= sum;
  });
  return success();
}

LogicalResult evaluateLayerNorm(LayerNormOp op, Call &call) {
  double epsilon = op.getEpsilon().convertToDouble();
  const double *scale = call.operand(1).floats.data(),
               *bias = op.getBias() ? call.operand(2).floats.data() : nullptr;
  forEachRow(call.operand(0), call.result(0), [&](const double *x, double *y, int64_t n) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; ++i)
      mean += x[i] / n;
    for (int64_t i = 0; i < n; ++i)
      variance += (x[i] - mean) * (x[i] - mean) / n;
    for (int64_t i = 0; i < n; ++i)
      y[i] = (x[i] - mean) / std::sqrt(variance + epsilon) * scale[i] + (bias ? bias[i] : 0.0);
  });
  return success();
}

LogicalResult evaluateRmsNorm(RmsNormOp op, Call &call) {
  double epsilon = op.getEpsilon().convertToDouble();
  const double *scale = call.operand(1).floats.data();
  forEachRow(call.operand(0), call.result(0), [&](const double *x, double *y, int64_t n) {
    double meanSquare = 0;
    for (int64_t i = 0; i < n; ++i)
      meanSquare += x[i] * x[i] / n;
    for (int64_t i = 0; i < n; ++i)
      y[i] = x[i] / std::sqrt(meanSquare + epsilon) * scale[i];
  });
  return success();
}

LogicalResult evaluateRopeTable(RopeTableOp op, Call &call) {
  const Array &positions = call.operand(0), &frequencies = call.operand(1);
  double scale = op.getScale().convertToDouble();
  int64_t pairs = frequencies.size();
  for (int64_t p = 0; p < positions.size(); ++p)
    for (int64_t i = 0; i < pairs; ++i) {
      // The op's definition rounds the angle to f32 in every precision.
      float angle =
          static_cast<float>(positions.integers[p]) * static_cast<float>(frequencies.floats[i]);
      call.result(0).floats[p * pairs + i] = scale * std::cos(static_cast<double>(angle));
      call.result(1).floats[p * pairs + i] = scale * std::sin(static_cast<double>(angle));
    }
  return success();
}

LogicalResult evaluateRope(RopeOp op, Call &call) {
  const Array &x = call.operand(0), &cosines = call.operand(1), &sines = call.operand(2);
  Array &y = call.result(0);
  int64_t heads = x.shape[2], width = x.shape[3], pairs = cosines.shape[2];
  y.floats = x.floats;
  for (int64_t token = 0; token < x.shape[0] * x.shape[1]; ++token)
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t i = 0; i < pairs; ++i) {
        int64_t base = (token * heads + head) * width;
        int64_t first = base + (op.getInterleaved() ? 2 * i : i);
        int64_t second = base + (op.getInterleaved() ? 2 * i + 1 : i + pairs);
        double c = cosines.floats[token * pairs + i], s = sines.floats[token * pairs + i];
        y.floats[first] = x.floats[first] * c - x.floats[second] * s;
        y.floats[second] = x.floats[second] * c + x.floats[first] * s;
      }
  return success();
}

} // namespace

void registerNnOps(Evaluations &table) {
  table.add<MatmulOp>(evaluateMatmul);
  table.add<EmbeddingOp>(evaluateEmbedding);
  table.add<SoftmaxOp>(evaluateSoftmax);
  table.add<LayerNormOp>(evaluateLayerNorm);
  table.add<RmsNormOp>(evaluateRmsNorm);
  table.add<RopeTableOp>(evaluateRopeTable);
  table.add<RopeOp>(evaluateRope);
}

} // namespace ashlar::interpreter
