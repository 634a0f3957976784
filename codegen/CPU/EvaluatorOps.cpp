// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements of the ops that are more than a formula: lookups, rotations, sums over a dimension.

#include "codegen/CPU/Evaluator.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cpu {

static Dims dimsOf(Value value) { return getDims(cast<RankedTensorType>(value.getType())); }
static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

Value Evaluator::evaluateConstant(ConstantOp op, Lanes lanes) {
  auto elements = cast<DenseElementsAttr>(op.getValue());
  Attribute scalar = elements.getSplatValue<Attribute>();
  if (auto number = dyn_cast<FloatAttr>(scalar); number && !number.getType().isF64())
    return e.f32Constant(number.getValueAsDouble(), lanes.width);
  return e.splat(arith::ConstantOp::create(e.b, cast<TypedAttr>(scalar)), lanes.width);
}

Value Evaluator::loadPanel(BlockArgument weight, Value row, Value column, Lanes) {
  // Logical [K, N] (or [N, K] under a transposed product) is addressed by (n, k): the caller passes
  // n = row, k = column as a table [rows, width] is a Linear's [N, K].
  Dims dims = dimsOf(weight);
  Value pointer = buffer(weight.getArgNumber());
  Value width = size(dims[1]);
  if (getLayout(weight) == "panel_bf16") {
    Value pairs = e.ceilDiv(width, 2);
    Value position =
        e.add(e.mul(e.div(row, e.constant(16)), e.mul(pairs, 32)),
              e.add(e.mul(e.div(column, e.constant(2)), 32),
                    e.add(e.mul(e.rem(row, e.constant(16)), 2), e.rem(column, e.constant(2)))));
    return e.load(e.b.getBF16Type(), pointer, position);
  }
  Value position = e.add(e.mul(e.div(row, e.constant(kPanel)), e.mul(width, kPanel)),
                         e.add(e.mul(column, kPanel), e.rem(row, e.constant(kPanel))));
  return e.load(e.f32, pointer, position);
}

Value Evaluator::evaluateEmbedding(EmbeddingOp op, Index index, Lanes lanes) {
  Value id = evaluate(op.getIds(), index.drop_back());
  if (id.getType() != e.i64)
    id = arith::ExtSIOp::create(e.b, e.i64, id);
  Value rows = size(dimsOf(op.getTable())[0]);
  Value inside = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ult, id, rows);
  Value safe = e.select(inside, id, e.constant(0));
  Value element = evaluate(op.getTable(), {safe, index.back()}, lanes);
  return e.select(inside, element, e.f32Constant(0.0, lanes.width));
}

Value Evaluator::evaluateConcat(ConcatOp op, Index index, Lanes lanes) {
  // One input holds the element; a chain of branches finds it.
  Value position = index[op.getAxis()];
  Type type =
      e.vector(isa<FloatType>(elementOf(op.getResult())) && !elementOf(op.getResult()).isF64()
                   ? e.f32
                   : elementOf(op.getResult()),
               lanes.width);
  std::function<Value(size_t, int64_t)> pick = [&](size_t input, int64_t before) -> Value {
    Value operand = op.getInputs()[input];
    SmallVector<Value> moved(index);
    moved[op.getAxis()] = e.sub(position, e.constant(before));
    int64_t end = before + dimsOf(operand)[op.getAxis()].size;
    if (input + 1 == op.getInputs().size())
      return evaluate(operand, moved, lanes);
    auto branch =
        scf::IfOp::create(e.b, TypeRange{type}, e.less(position, e.constant(end)), true, true);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(e.b, evaluate(operand, moved, lanes));
    e.b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(e.b, pick(input + 1, end));
    return branch.getResult(0);
  };
  return pick(0, 0);
}

Value Evaluator::evaluateRope(RopeOp op, Index index, Lanes lanes) {
  int64_t pairs = dimsOf(op.getCosines()).back().size, width = dimsOf(op.getY()).back().size;
  Value column = index.back();
  // The element's partner, its pair and which of the two it is.
  Value pair, isSecond, partner;
  if (op.getInterleaved()) {
    pair = e.div(column, e.constant(2));
    isSecond = e.equal(e.rem(column, e.constant(2)), e.constant(1));
    partner = e.select(isSecond, e.sub(column, e.constant(1)), e.add(column, 1));
  } else {
    isSecond = arith::CmpIOp::create(e.b, arith::CmpIPredicate::sge, column, e.constant(pairs));
    pair = e.select(isSecond, e.sub(column, e.constant(pairs)), column);
    partner = e.select(isSecond, pair, e.add(column, pairs));
  }
  auto rotate = [&]() -> Value {
    SmallVector<Value> other(index);
    other.back() = partner;
    Value x = evaluate(op.getX(), index, lanes), y = evaluate(op.getX(), other, lanes);
    SmallVector<Value> angle = {index[0], index[1], pair};
    Value cosine = evaluate(op.getCosines(), angle, lanes),
          sine = evaluate(op.getSines(), angle, lanes);
    Value signedSine = e.select(isSecond, sine, arith::NegFOp::create(e.b, sine));
    Value straight = arith::MulFOp::create(e.b, x, cosine);
    return arith::AddFOp::create(e.b, straight, arith::MulFOp::create(e.b, y, signedSine));
  };
  if (width == 2 * pairs)
    return rotate();
  auto branch = scf::IfOp::create(e.b, TypeRange{e.vector(e.f32, lanes.width)},
                                  e.less(column, e.constant(2 * pairs)), true, true);
  OpBuilder::InsertionGuard guard(e.b);
  e.b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(e.b, rotate());
  e.b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(e.b, evaluate(op.getX(), index, lanes));
  return branch.getResult(0);
}

Value Evaluator::evaluateRopeTable(RopeTableOp op, Value value, Index index, Lanes lanes) {
  Value position = evaluate(op.getPositions(), index.take_front(2));
  Value whole = e.splat(arith::SIToFPOp::create(e.b, e.f32, position), lanes.width);
  Value frequency = evaluate(op.getFrequencies(), index.take_back(1), lanes);
  Value angle = arith::MulFOp::create(e.b, whole, frequency);
  Value wave = value == op.getCosines() ? Value(math::CosOp::create(e.b, angle))
                                        : Value(math::SinOp::create(e.b, angle));
  return arith::MulFOp::create(e.b, wave,
                               e.f32Constant(op.getScale().convertToDouble(), lanes.width));
}

Value Evaluator::evaluateMatmul(MatmulOp op, Index index, Lanes) {
  // The plain sum of one element, for products that are not worth a kernel of their own.
  Dims a = dimsOf(op.getA());
  Value zero = e.f32Constant(0.0);
  auto sum =
      e.loop(e.constant(0), size(a.back()), 1, zero,
             [&](Value k, ValueRange carried) -> SmallVector<Value> {
               SmallVector<Value> left(index), right(index.take_back(dimsOf(op.getB()).size()));
               left.back() = k;
               size_t last = right.size() - 1;
               right[op.getTransposeB() ? last : last - 1] = k;
               if (op.getTransposeB())
                 right[last - 1] = index.back();
               return {e.fma(evaluate(op.getA(), left), evaluate(op.getB(), right), carried[0])};
             });
  return sum.front();
}

Value Evaluator::evaluateCumsum(CumsumOp op, Index index) {
  // Every element adds up what lies before it: positions of tokens, a few hundred at most.
  SmallVector<Value> at(index);
  at[op.getAxis()] = e.constant(0);
  Value first = evaluate(op.getX(), at);
  bool isFloat = isa<FloatType>(first.getType());
  return e
      .loop(e.constant(1), e.add(index[op.getAxis()], 1), 1, first,
            [&](Value i, ValueRange carried) -> SmallVector<Value> {
              at[op.getAxis()] = i;
              Value x = evaluate(op.getX(), at);
              return {isFloat ? Value(arith::AddFOp::create(e.b, carried[0], x))
                              : Value(arith::AddIOp::create(e.b, carried[0], x))};
            })
      .front();
}

/// What a reduction of no elements gives, as elements travel.
static Value getNeutral(Emitter &e, ReduceKind kind, Type element) {
  bool isSum = kind == ReduceKind::Sum || kind == ReduceKind::Mean, isMax = kind == ReduceKind::Max;
  if (isa<FloatType>(element)) {
    double infinity = std::numeric_limits<double>::infinity();
    return e.f32Constant(isSum ? 0.0 : isMax ? -infinity : infinity);
  }
  unsigned bits = element.getIntOrFloatBitWidth();
  llvm::APInt value = isSum       ? llvm::APInt(bits, 0)
                      : bits == 1 ? llvm::APInt(1, !isMax)
                      : isMax     ? llvm::APInt::getSignedMinValue(bits)
                                  : llvm::APInt::getSignedMaxValue(bits);
  return arith::ConstantOp::create(e.b, IntegerAttr::get(element, value));
}

Value Evaluator::evaluateReduce(ReduceOp op, Index index, Lanes lanes) {
  SmallVector<Value> at(index);
  if (op.getKeepDims())
    at[op.getAxis()] = nullptr;
  else
    at.insert(at.begin() + op.getAxis(), nullptr);
  Value count = size(dimsOf(op.getX())[op.getAxis()]);
  ReduceKind kind = op.getKind();
  // Starts from what changes nothing, so that an empty dimension is not read.
  Value first = e.splat(getNeutral(e, kind, elementOf(op.getY())), lanes.width);
  Type element = getElementTypeOrSelf(first.getType());
  bool isFloat = isa<FloatType>(element), isBool = element.isInteger(1);
  Value result = e.loop(e.constant(0), count, 1, first,
                        [&](Value i, ValueRange carried) -> SmallVector<Value> {
                          at[op.getAxis()] = i;
                          Value x = evaluate(op.getX(), at, lanes), y = carried[0];
                          switch (kind) {
                          case ReduceKind::Sum:
                          case ReduceKind::Mean:
                            return {isFloat ? Value(arith::AddFOp::create(e.b, y, x))
                                            : Value(arith::AddIOp::create(e.b, y, x))};
                          case ReduceKind::Max:
                            return {isFloat  ? Value(arith::MaximumFOp::create(e.b, y, x))
                                    : isBool ? Value(arith::OrIOp::create(e.b, y, x))
                                             : Value(arith::MaxSIOp::create(e.b, y, x))};
                          case ReduceKind::Min:
                            return {isFloat  ? Value(arith::MinimumFOp::create(e.b, y, x))
                                    : isBool ? Value(arith::AndIOp::create(e.b, y, x))
                                             : Value(arith::MinSIOp::create(e.b, y, x))};
                          }
                          llvm_unreachable("a reduction without arithmetic");
                        })
                     .front();
  if (kind != ReduceKind::Mean)
    return result;
  if (isFloat)
    return arith::DivFOp::create(
        e.b, result, e.splat(arith::SIToFPOp::create(e.b, element, count), lanes.width));
  // The count may not fit the element.
  Type wide = e.vector(e.i64, lanes.width);
  bool isWide = element == e.i64;
  Value dividend = isWide ? result : Value(arith::ExtSIOp::create(e.b, wide, result));
  Value mean = arith::DivSIOp::create(e.b, dividend, e.splat(count, lanes.width));
  return isWide ? mean : Value(arith::TruncIOp::create(e.b, result.getType(), mean));
}

} // namespace ashlar::cpu
