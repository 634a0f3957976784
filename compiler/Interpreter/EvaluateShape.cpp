// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Evaluation.h"

#include <limits>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::interpreter {
namespace {

/// Sees an array as [before, n, after] around one axis.
struct Around {
  int64_t before, n, after;
  Around(const Array &array, int64_t axis)
      : before(array.count(0, axis)), n(array.shape[axis]),
        after(array.count(axis + 1, array.shape.size())) {}
  int64_t at(int64_t b, int64_t i, int64_t a) const { return (b * n + i) * after + a; }
};

LogicalResult evaluateIota(IotaOp op, Call &call) {
  Array &y = call.result(0);
  Around around(y, op.getAxis());
  for (int64_t b = 0; b < around.before; ++b)
    for (int64_t i = 0; i < around.n; ++i)
      for (int64_t a = 0; a < around.after; ++a) {
        if (y.isFloat())
          y.floats[around.at(b, i, a)] = static_cast<double>(i);
        else
          y.integers[around.at(b, i, a)] = i;
      }
  return success();
}

/// Gives each element of the result the operand's element that `source` names, from the result's
/// coordinates.
template <typename Source>
void fill(Array &y, const Array &x, Source source) {
  std::vector<int64_t> at(y.shape.size());
  for (int64_t i = 0; i < y.size(); ++i) {
    int64_t rest = i;
    for (size_t d = y.shape.size(); d-- > 0; rest /= y.shape[d])
      at[d] = rest % y.shape[d];
    y.copyElement(i, x, source(at));
  }
}

LogicalResult evaluateBroadcast(BroadcastOp, Call &call) {
  const Array &x = call.operand(0);
  size_t shift = call.result(0).shape.size() - x.shape.size();
  fill(call.result(0), x, [&](const std::vector<int64_t> &at) {
    int64_t source = 0;
    for (size_t d = 0; d < x.shape.size(); ++d)
      source = source * x.shape[d] + (x.shape[d] == 1 ? 0 : at[d + shift]);
    return source;
  });
  return success();
}

LogicalResult evaluateReshape(ReshapeOp, Call &call) {
  for (int64_t i = 0; i < call.result(0).size(); ++i)
    call.result(0).copyElement(i, call.operand(0), i);
  return success();
}

LogicalResult evaluateTranspose(TransposeOp op, Call &call) {
  const Array &x = call.operand(0);
  std::vector<int64_t> from(x.shape.size());
  fill(call.result(0), x, [&](const std::vector<int64_t> &at) {
    for (auto [i, d] : llvm::enumerate(op.getPermutation()))
      from[d] = at[i];
    int64_t source = 0;
    for (size_t d = 0; d < x.shape.size(); ++d)
      source = source * x.shape[d] + from[d];
    return source;
  });
  return success();
}

LogicalResult evaluateSlice(SliceOp op, Call &call) {
  Around from(call.operand(0), op.getAxis()), to(call.result(0), op.getAxis());
  for (int64_t b = 0; b < to.before; ++b)
    for (int64_t i = 0; i < to.n; ++i)
      for (int64_t a = 0; a < to.after; ++a)
        call.result(0).copyElement(to.at(b, i, a), call.operand(0),
                                   from.at(b, i + op.getOffset(), a));
  return success();
}

LogicalResult evaluateConcat(ConcatOp op, Call &call) {
  Around to(call.result(0), op.getAxis());
  int64_t offset = 0;
  for (unsigned k = 0; k < op.getInputs().size(); ++k) {
    Around from(call.operand(k), op.getAxis());
    for (int64_t b = 0; b < from.before; ++b)
      for (int64_t i = 0; i < from.n; ++i)
        for (int64_t a = 0; a < from.after; ++a)
          call.result(0).copyElement(to.at(b, offset + i, a), call.operand(k), from.at(b, i, a));
    offset += from.n;
  }
  return success();
}

LogicalResult evaluateGather(GatherOp, Call &call) {
  const Array &x = call.operand(0), &indices = call.operand(1);
  Around from(x, 1);
  for (int64_t b = 0; b < from.before; ++b) {
    int64_t i = std::clamp<int64_t>(indices.integers[b], 0, from.n - 1);
    for (int64_t a = 0; a < from.after; ++a)
      call.result(0).copyElement(b * from.after + a, x, from.at(b, i, a));
  }
  return success();
}

template <typename Number>
Number combine(ReduceKind kind, Number x, Number y) {
  switch (kind) {
  case ReduceKind::Sum:
  case ReduceKind::Mean:
    return x + y;
  case ReduceKind::Max:
    return std::max(x, y);
  case ReduceKind::Min:
    return std::min(x, y);
  }
  llvm_unreachable("a reduction without a meaning");
}

/// What the combination of no elements is: a shard may be empty.
template <typename Number>
Number identity(ReduceKind kind) {
  using Limits = std::numeric_limits<Number>;
  Number infinity = Limits::has_infinity ? Limits::infinity() : Limits::max();
  return kind == ReduceKind::Max   ? (Limits::has_infinity ? -infinity : Limits::lowest())
         : kind == ReduceKind::Min ? infinity
                                   : Number(0);
}

template <typename Number>
void reduce(ReduceOp op, const std::vector<Number> &x, std::vector<Number> &y, const Around &from) {
  for (int64_t b = 0; b < from.before; ++b)
    for (int64_t a = 0; a < from.after; ++a) {
      Number value = from.n ? x[from.at(b, 0, a)] : identity<Number>(op.getKind());
      for (int64_t i = 1; i < from.n; ++i)
        value = combine(op.getKind(), value, x[from.at(b, i, a)]);
      y[b * from.after + a] =
          op.getKind() == ReduceKind::Mean ? value / static_cast<Number>(from.n) : value;
    }
}

LogicalResult evaluateReduce(ReduceOp op, Call &call) {
  const Array &x = call.operand(0);
  Around from(x, op.getAxis());
  if (from.n == 0 && op.getKind() == ReduceKind::Mean)
    return op.emitOpError() << "takes the mean of no elements along axis " << op.getAxis();
  if (x.isFloat())
    reduce(op, x.floats, call.result(0).floats, from);
  else
    reduce(op, x.integers, call.result(0).integers, from);
  return success();
}

LogicalResult evaluateCumsum(CumsumOp op, Call &call) {
  const Array &x = call.operand(0);
  Array &y = call.result(0);
  Around around(x, op.getAxis());
  for (int64_t b = 0; b < around.before; ++b)
    for (int64_t i = 0; i < around.n; ++i)
      for (int64_t a = 0; a < around.after; ++a) {
        int64_t at = around.at(b, i, a);
        y.copyElement(at, x, at);
        if (i == 0)
          continue;
        if (y.isFloat())
          y.floats[at] += y.floats[around.at(b, i - 1, a)];
        else
          y.integers[at] += y.integers[around.at(b, i - 1, a)];
      }
  return success();
}

} // namespace

void registerShapeOps(Evaluations &table) {
  table.add<IotaOp>(evaluateIota);
  table.add<BroadcastOp>(evaluateBroadcast);
  table.add<ReshapeOp>(evaluateReshape);
  table.add<TransposeOp>(evaluateTranspose);
  table.add<SliceOp>(evaluateSlice);
  table.add<ConcatOp>(evaluateConcat);
  table.add<GatherOp>(evaluateGather);
  table.add<ReduceOp>(evaluateReduce);
  table.add<CumsumOp>(evaluateCumsum);
}

} // namespace ashlar::interpreter
