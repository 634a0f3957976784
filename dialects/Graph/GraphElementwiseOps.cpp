// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementwise ops: result types, folds, cost, and the arithmetic of one element. Constants that an
// element needs take the shape of the operand, so that the same code builds scalars and vectors.

#include "dialects/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace ashlar::graph;

//===----------------------------------------------------------------------===//
// Result types
//===----------------------------------------------------------------------===//

static LogicalResult inferBroadcast(std::optional<Location> loc, StringRef op, TypeRange operands,
                                    Type elementType, SmallVectorImpl<Type> &results) {
  Dims dims = getDims(cast<RankedTensorType>(operands.front()));
  for (Type operand : operands.drop_front()) {
    Dims other = getDims(cast<RankedTensorType>(operand));
    auto joined = broadcast(dims, other);
    if (failed(joined))
      return emitOptionalError(loc, "'", op, "' op operands of dimensions ", toString(dims),
                               " and ", toString(other), " do not broadcast");
    dims = *joined;
  }
  results.push_back(getTensor(dims, elementType));
  return success();
}

#define INFER_BINARY(Op)                                                                           \
  LogicalResult Op::inferReturnTypes(MLIRContext *, std::optional<Location> loc,                   \
                                     ValueRange operands, DictionaryAttr, OpaqueProperties,        \
                                     RegionRange, SmallVectorImpl<Type> &results) {                \
    return inferBroadcast(loc, getOperationName(), operands.getTypes(),                            \
                          cast<RankedTensorType>(operands[0].getType()).getElementType(),          \
                          results);                                                                \
  }
INFER_BINARY(AddOp)
INFER_BINARY(SubOp)
INFER_BINARY(MulOp)
INFER_BINARY(DivOp)
INFER_BINARY(MaxOp)
INFER_BINARY(MinOp)
INFER_BINARY(PowOp)
#undef INFER_BINARY

LogicalResult CompareOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                          ValueRange operands, DictionaryAttr, OpaqueProperties,
                                          RegionRange, SmallVectorImpl<Type> &results) {
  return inferBroadcast(loc, getOperationName(), operands.getTypes(), IntegerType::get(context, 1),
                        results);
}

LogicalResult SelectOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                         ValueRange operands, DictionaryAttr, OpaqueProperties,
                                         RegionRange, SmallVectorImpl<Type> &results) {
  Type element = cast<RankedTensorType>(operands[1].getType()).getElementType();
  Type other = cast<RankedTensorType>(operands[2].getType()).getElementType();
  if (element != other)
    return emitOptionalError(loc, "'graph.select' op chooses between element types ", element,
                             " and ", other);
  return inferBroadcast(loc, getOperationName(), operands.getTypes(), element, results);
}

LogicalResult CastOp::verify() {
  auto from = cast<RankedTensorType>(getX().getType()),
       to = cast<RankedTensorType>(getY().getType());
  if (getDims(from) != getDims(to))
    return emitOpError() << "changes dimensions " << toString(getDims(from)) << " to "
                         << toString(getDims(to)) << "; it changes the element type only";
  return success();
}

//===----------------------------------------------------------------------===//
// Folds
//===----------------------------------------------------------------------===//

static bool isSplat(Attribute attr, double value) {
  auto splat = dyn_cast_or_null<SplatElementsAttr>(attr);
  if (!splat)
    return false;
  if (isa<FloatType>(splat.getElementType()))
    return splat.getSplatValue<APFloat>().convertToDouble() == value;
  return splat.getElementType().isIntOrIndex() &&
         splat.getSplatValue<APInt>().getSExtValue() == value;
}

OpFoldResult NegOp::fold(FoldAdaptor) {
  if (auto inner = getX().getDefiningOp<NegOp>())
    return inner.getX();
  return {};
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  return getX().getType() == getY().getType() ? getX() : Value();
}

// x + 0 is not x for x = -0.0, but differs only in the sign of zero, which only a division by it
// makes visible; no model divides by a sum with zero.
OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (isSplat(adaptor.getY(), 0) && getX().getType() == getZ().getType())
    return getX();
  return {};
}
OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (isSplat(adaptor.getY(), 0) && getX().getType() == getZ().getType())
    return getX();
  return {};
}
OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  if (isSplat(adaptor.getY(), 1) && getX().getType() == getZ().getType())
    return getX();
  return {};
}
OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  if (isSplat(adaptor.getY(), 1) && getX().getType() == getZ().getType())
    return getX();
  return {};
}

//===----------------------------------------------------------------------===//
// The arithmetic of one element
//===----------------------------------------------------------------------===//

namespace {
/// Builds arithmetic in the shape of a model value.
struct Arithmetic {
  OpBuilder &b;
  Location loc;
  Type type;

  Arithmetic(OpBuilder &b, Operation *op, Value like)
      : b(b), loc(op->getLoc()), type(like.getType()) {}

  Value constant(double value) {
    Attribute scalar = b.getFloatAttr(getElementTypeOrSelf(type), value);
    if (auto vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(b, loc, SplatElementsAttr::get(vector, scalar));
    return arith::ConstantOp::create(b, loc, cast<TypedAttr>(scalar));
  }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }
  Value exp(Value x) { return math::ExpOp::create(b, loc, x); }
  Value sigmoid(Value x) {
    Value one = constant(1.0);
    return div(one, add(one, exp(arith::NegFOp::create(b, loc, x))));
  }
};
bool isFloat(Value value) { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }
} // namespace

#define BUILD_UNARY(Op, expression)                                                                \
  Value Op::buildElement(OpBuilder &b, ValueRange elements) {                                      \
    Value x = elements[0];                                                                         \
    Arithmetic a(b, *this, x);                                                                     \
    Location loc = a.loc;                                                                          \
    (void)loc;                                                                                     \
    return expression;                                                                             \
  }
BUILD_UNARY(NegOp, arith::NegFOp::create(b, loc, x))
BUILD_UNARY(AbsOp, math::AbsFOp::create(b, loc, x))
BUILD_UNARY(ExpOp, a.exp(x))
BUILD_UNARY(LogOp, math::LogOp::create(b, loc, x))
BUILD_UNARY(SqrtOp, math::SqrtOp::create(b, loc, x))
BUILD_UNARY(RsqrtOp, a.div(a.constant(1.0), math::SqrtOp::create(b, loc, x)))
BUILD_UNARY(TanhOp, math::TanhOp::create(b, loc, x))
BUILD_UNARY(ErfOp, math::ErfOp::create(b, loc, x))
BUILD_UNARY(SigmoidOp, a.sigmoid(x))
BUILD_UNARY(SiluOp, a.mul(x, a.sigmoid(x)))
BUILD_UNARY(ReluOp, arith::MaximumFOp::create(b, loc, x, a.constant(0.0)))
#undef BUILD_UNARY

Value GeluOp::buildElement(OpBuilder &b, ValueRange elements) {
  Value x = elements[0];
  Arithmetic a(b, *this, x);
  switch (getApproximation()) {
  case GeluApproximation::Exact: {
    Value erf = math::ErfOp::create(b, getLoc(), a.mul(x, a.constant(0.70710678118654752440)));
    return a.mul(a.mul(x, a.constant(0.5)), a.add(erf, a.constant(1.0)));
  }
  case GeluApproximation::Tanh: {
    Value cubic = a.mul(a.mul(a.mul(x, x), x), a.constant(0.044715));
    Value inner = a.mul(a.add(x, cubic), a.constant(0.79788456080286535588));
    Value tanh = math::TanhOp::create(b, getLoc(), inner);
    return a.mul(a.mul(x, a.constant(0.5)), a.add(tanh, a.constant(1.0)));
  }
  case GeluApproximation::Sigmoid:
    return a.mul(x, a.sigmoid(a.mul(x, a.constant(1.702))));
  }
  llvm_unreachable("a GELU approximation without arithmetic");
}

#define BUILD_BINARY(Op, FloatOp, IntOp)                                                           \
  Value Op::buildElement(OpBuilder &b, ValueRange e) {                                             \
    if (isFloat(e[0]))                                                                             \
      return FloatOp::create(b, getLoc(), e[0], e[1]);                                             \
    return IntOp::create(b, getLoc(), e[0], e[1]);                                                 \
  }
BUILD_BINARY(AddOp, arith::AddFOp, arith::AddIOp)
BUILD_BINARY(SubOp, arith::SubFOp, arith::SubIOp)
BUILD_BINARY(MulOp, arith::MulFOp, arith::MulIOp)
BUILD_BINARY(DivOp, arith::DivFOp, arith::DivSIOp)
#undef BUILD_BINARY

// Of an i1 the one bit is no sign: true is greater than false.
static bool isBool(Value value) { return getElementTypeOrSelf(value.getType()).isInteger(1); }

Value MaxOp::buildElement(OpBuilder &b, ValueRange e) {
  if (isFloat(e[0]))
    return arith::MaximumFOp::create(b, getLoc(), e[0], e[1]);
  if (isBool(e[0]))
    return arith::OrIOp::create(b, getLoc(), e[0], e[1]);
  return arith::MaxSIOp::create(b, getLoc(), e[0], e[1]);
}

Value MinOp::buildElement(OpBuilder &b, ValueRange e) {
  if (isFloat(e[0]))
    return arith::MinimumFOp::create(b, getLoc(), e[0], e[1]);
  if (isBool(e[0]))
    return arith::AndIOp::create(b, getLoc(), e[0], e[1]);
  return arith::MinSIOp::create(b, getLoc(), e[0], e[1]);
}

Value PowOp::buildElement(OpBuilder &b, ValueRange e) {
  // x^y = e^(y ln x), which is why the op asks for x > 0.
  Value log = math::LogOp::create(b, getLoc(), e[0]);
  return math::ExpOp::create(b, getLoc(), arith::MulFOp::create(b, getLoc(), log, e[1]));
}

Value CompareOp::buildElement(OpBuilder &b, ValueRange e) {
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  static constexpr F floats[] = {F::OEQ, F::UNE, F::OLT, F::OLE, F::OGT, F::OGE};
  static constexpr I integers[] = {I::eq, I::ne, I::slt, I::sle, I::sgt, I::sge};
  static constexpr I booleans[] = {I::eq, I::ne, I::ult, I::ule, I::ugt, I::uge};
  auto index = static_cast<size_t>(getPredicate());
  if (isFloat(e[0]))
    return arith::CmpFOp::create(b, getLoc(), floats[index], e[0], e[1]);
  return arith::CmpIOp::create(b, getLoc(), (isBool(e[0]) ? booleans : integers)[index], e[0],
                               e[1]);
}

Value SelectOp::buildElement(OpBuilder &b, ValueRange e) {
  return arith::SelectOp::create(b, getLoc(), e[0], e[1], e[2]);
}

Value CastOp::buildElement(OpBuilder &b, ValueRange elements) {
  Value x = elements[0];
  Type from = getElementTypeOrSelf(x.getType());
  Type element = cast<RankedTensorType>(getY().getType()).getElementType();
  // Floating-point elements travel as f32 (f64 where the tensor is f64); what is narrower rounds
  // when it is stored.
  Type to = isa<FloatType>(element) && !element.isF64() ? Float32Type::get(getContext()) : element;
  Type target = to;
  if (auto vector = dyn_cast<VectorType>(x.getType()))
    target = VectorType::get(vector.getShape(), to);
  if (from == to)
    return x;
  if (isa<FloatType>(from) && isa<FloatType>(to))
    return to.isF64() ? Value(arith::ExtFOp::create(b, getLoc(), target, x))
                      : Value(arith::TruncFOp::create(b, getLoc(), target, x));
  if (isa<FloatType>(from) && to.isInteger(1)) {
    Arithmetic a(b, *this, x);
    return arith::CmpFOp::create(b, getLoc(), arith::CmpFPredicate::UNE, x, a.constant(0.0));
  }
  if (isa<FloatType>(from))
    return arith::FPToSIOp::create(b, getLoc(), target, x);
  if (isa<FloatType>(to))
    return from.isInteger(1) ? Value(arith::UIToFPOp::create(b, getLoc(), target, x))
                             : Value(arith::SIToFPOp::create(b, getLoc(), target, x));
  if (to.isInteger(1)) {
    Value zero = arith::ConstantOp::create(b, getLoc(), b.getZeroAttr(x.getType()));
    return arith::CmpIOp::create(b, getLoc(), arith::CmpIPredicate::ne, x, zero);
  }
  if (from.getIntOrFloatBitWidth() > to.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(b, getLoc(), target, x);
  return from.isInteger(1) ? Value(arith::ExtUIOp::create(b, getLoc(), target, x))
                           : Value(arith::ExtSIOp::create(b, getLoc(), target, x));
}

//===----------------------------------------------------------------------===//
// Cost
//===----------------------------------------------------------------------===//

static Polynomial perElement(Value value, int64_t operations) {
  Polynomial count = getElementCount(getDims(cast<RankedTensorType>(value.getType())));
  count *= operations;
  return count;
}

// What one element takes: operations, and transcendental functions apart.
#define ELEMENTWISE_COST(Op, operations, transcendentals)                                          \
  int64_t Op::getOperationsPerElement() { return operations; }                                     \
  Polynomial Op::getElementwiseFlops() { return perElement(getResult(), operations); }             \
  Polynomial Op::getTranscendentals() {                                                            \
    return transcendentals == 0 ? Polynomial() : perElement(getResult(), transcendentals);         \
  }
ELEMENTWISE_COST(NegOp, 1, 0)
ELEMENTWISE_COST(AbsOp, 1, 0)
ELEMENTWISE_COST(ExpOp, 0, 1)
ELEMENTWISE_COST(LogOp, 0, 1)
ELEMENTWISE_COST(SqrtOp, 4, 0)
ELEMENTWISE_COST(RsqrtOp, 8, 0)
ELEMENTWISE_COST(TanhOp, 0, 1)
ELEMENTWISE_COST(ErfOp, 0, 1)
ELEMENTWISE_COST(SigmoidOp, 2, 1)
ELEMENTWISE_COST(SiluOp, 3, 1)
ELEMENTWISE_COST(ReluOp, 1, 0)
ELEMENTWISE_COST(GeluOp, 6, 1)
ELEMENTWISE_COST(CastOp, 1, 0)
ELEMENTWISE_COST(AddOp, 1, 0)
ELEMENTWISE_COST(SubOp, 1, 0)
ELEMENTWISE_COST(MulOp, 1, 0)
ELEMENTWISE_COST(DivOp, 4, 0)
ELEMENTWISE_COST(MaxOp, 1, 0)
ELEMENTWISE_COST(MinOp, 1, 0)
ELEMENTWISE_COST(PowOp, 1, 2)
ELEMENTWISE_COST(CompareOp, 1, 0)
ELEMENTWISE_COST(SelectOp, 1, 0)
#undef ELEMENTWISE_COST
