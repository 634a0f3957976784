// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Evaluation.h"

#include <cmath>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::interpreter {
namespace {

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

template <typename Op>
void addUnary(Evaluations &table, double (*function)(double)) {
  table.add<Op>([function](Op, Call &call) {
    for (int64_t i = 0; i < call.result(0).size(); ++i)
      call.result(0).floats[i] = function(call.operand(0).floats[i]);
    return success();
  });
}

/// The element of `operand` that broadcasting puts at element `index` of a result of `shape`.
int64_t broadcastIndex(const Array &operand, ArrayRef<int64_t> shape, int64_t index) {
  int64_t source = 0, stride = 1;
  for (size_t back = 1; back <= shape.size(); ++back) {
    int64_t extent = shape[shape.size() - back], at = index % extent;
    index /= extent;
    if (back > operand.shape.size())
      break;
    int64_t own = operand.shape[operand.shape.size() - back];
    source += own == 1 ? 0 : at * stride;
    stride *= own;
  }
  return source;
}

template <typename Op>
void addBinary(Evaluations &table, double (*onFloats)(double, double),
               int64_t (*onIntegers)(int64_t, int64_t)) {
  table.add<Op>([=](Op op, Call &call) -> LogicalResult {
    const Array &x = call.operand(0), &y = call.operand(1);
    Array &z = call.result(0);
    if (!z.isFloat() && !onIntegers)
      return op.emitError() << "the interpreter has no evaluation of '" << op->getName()
                            << "' on integers";
    for (int64_t i = 0; i < z.size(); ++i) {
      int64_t a = broadcastIndex(x, z.shape, i), b = broadcastIndex(y, z.shape, i);
      if (z.isFloat())
        z.floats[i] = onFloats(x.floats[a], y.floats[b]);
      else
        z.integers[i] = onIntegers(x.integers[a], y.integers[b]);
    }
    return success();
  });
}

double gelu(GeluApproximation approximation, double x) {
  switch (approximation) {
  case GeluApproximation::Exact:
    return x * 0.5 * (1.0 + std::erf(x / std::sqrt(2.0)));
  case GeluApproximation::Tanh:
    return x * 0.5 * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
  case GeluApproximation::Sigmoid:
    return x * sigmoid(1.702 * x);
  }
  llvm_unreachable("a GELU approximation without a formula");
}

template <typename Number>
bool holds(ComparePredicate predicate, Number x, Number y) {
  switch (predicate) {
  case ComparePredicate::Eq:
    return x == y;
  case ComparePredicate::Ne:
    return x != y;
  case ComparePredicate::Lt:
    return x < y;
  case ComparePredicate::Le:
    return x <= y;
  case ComparePredicate::Gt:
    return x > y;
  case ComparePredicate::Ge:
    return x >= y;
  }
  llvm_unreachable("a comparison without a meaning");
}

// maximum and minimum hand a NaN on, as the code generators' do.
double maximum(double x, double y) { return std::isnan(x) || std::isnan(y) ? NAN : std::max(x, y); }
double minimum(double x, double y) { return std::isnan(x) || std::isnan(y) ? NAN : std::min(x, y); }

LogicalResult evaluateCast(CastOp, Call &call) {
  const Array &x = call.operand(0);
  Array &y = call.result(0);
  for (int64_t i = 0; i < y.size(); ++i) {
    if (y.isFloat())
      y.floats[i] = x.number(i);
    else if (y.elementType.isInteger(1))
      y.integers[i] = x.number(i) != 0;
    else
      y.integers[i] = x.isFloat() ? static_cast<int64_t>(x.floats[i]) : x.integers[i];
  }
  return success();
}

LogicalResult evaluateCompare(CompareOp op, Call &call) {
  const Array &x = call.operand(0), &y = call.operand(1);
  Array &z = call.result(0);
  for (int64_t i = 0; i < z.size(); ++i) {
    int64_t a = broadcastIndex(x, z.shape, i), b = broadcastIndex(y, z.shape, i);
    z.integers[i] = x.isFloat() ? holds(op.getPredicate(), x.floats[a], y.floats[b])
                                : holds(op.getPredicate(), x.integers[a], y.integers[b]);
  }
  return success();
}

LogicalResult evaluateSelect(SelectOp, Call &call) {
  const Array &condition = call.operand(0), &x = call.operand(1), &y = call.operand(2);
  Array &z = call.result(0);
  for (int64_t i = 0; i < z.size(); ++i) {
    bool first = condition.integers[broadcastIndex(condition, z.shape, i)] != 0;
    z.copyElement(i, first ? x : y, broadcastIndex(first ? x : y, z.shape, i));
  }
  return success();
}

} // namespace

void registerElementwiseOps(Evaluations &table) {
  addUnary<NegOp>(table, [](double x) { return -x; });
  addUnary<AbsOp>(table, [](double x) { return std::fabs(x); });
  addUnary<ExpOp>(table, [](double x) { return std::exp(x); });
  addUnary<LogOp>(table, [](double x) { return std::log(x); });
  addUnary<SqrtOp>(table, [](double x) { return std::sqrt(x); });
  addUnary<RsqrtOp>(table, [](double x) { return 1.0 / std::sqrt(x); });
  addUnary<TanhOp>(table, [](double x) { return std::tanh(x); });
  addUnary<ErfOp>(table, [](double x) { return std::erf(x); });
  addUnary<SigmoidOp>(table, sigmoid);
  addUnary<SiluOp>(table, [](double x) { return x * sigmoid(x); });
  addUnary<ReluOp>(table, [](double x) { return maximum(x, 0.0); });
  table.add<GeluOp>([](GeluOp op, Call &call) {
    for (int64_t i = 0; i < call.result(0).size(); ++i)
      call.result(0).floats[i] = gelu(op.getApproximation(), call.operand(0).floats[i]);
    return success();
  });
  addBinary<AddOp>(
      table, [](double x, double y) { return x + y; }, [](int64_t x, int64_t y) { return x + y; });
  addBinary<SubOp>(
      table, [](double x, double y) { return x - y; }, [](int64_t x, int64_t y) { return x - y; });
  addBinary<MulOp>(
      table, [](double x, double y) { return x * y; }, [](int64_t x, int64_t y) { return x * y; });
  addBinary<DivOp>(
      table, [](double x, double y) { return x / y; },
      [](int64_t x, int64_t y) { return y == 0 ? 0 : x / y; });
  addBinary<MaxOp>(table, maximum, [](int64_t x, int64_t y) { return std::max(x, y); });
  addBinary<MinOp>(table, minimum, [](int64_t x, int64_t y) { return std::min(x, y); });
  addBinary<PowOp>(table, [](double x, double y) { return std::pow(x, y); }, nullptr);
  table.add<CompareOp>(evaluateCompare);
  table.add<SelectOp>(evaluateSelect);
  table.add<CastOp>(evaluateCast);
}

} // namespace ashlar::interpreter
