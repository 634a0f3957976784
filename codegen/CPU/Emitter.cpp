// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/Emitter.h"

#include "codegen/CPU/MathApproximation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace ashlar::cpu {

Emitter::Emitter(OpBuilder &builder, Location loc, const CpuModel &model)
    : b(loc, builder), model(model) {
  i1 = b.getI1Type();
  i8 = b.getI8Type();
  i32 = b.getI32Type();
  i64 = b.getI64Type();
  f32 = b.getF32Type();
  pointer = LLVM::LLVMPointerType::get(b.getContext());
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

Value Emitter::constant(int64_t value) {
  return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
}
Value Emitter::add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(x, y); }
Value Emitter::sub(Value x, Value y) { return b.createOrFold<arith::SubIOp>(x, y); }
Value Emitter::mul(Value x, Value y) { return b.createOrFold<arith::MulIOp>(x, y); }
Value Emitter::div(Value x, Value y) { return b.createOrFold<arith::DivUIOp>(x, y); }
Value Emitter::rem(Value x, Value y) { return b.createOrFold<arith::RemUIOp>(x, y); }
Value Emitter::shiftLeft(Value x, Value y) { return b.createOrFold<arith::ShLIOp>(x, y); }
Value Emitter::shiftRight(Value x, Value y) { return b.createOrFold<arith::ShRUIOp>(x, y); }
Value Emitter::min(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(x, y); }
Value Emitter::max(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(x, y); }
Value Emitter::less(Value x, Value y) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, y);
}
Value Emitter::equal(Value x, Value y) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y);
}
Value Emitter::boolean(bool value) { return arith::ConstantOp::create(b, b.getBoolAttr(value)); }

Value Emitter::isNot(Value condition) { return arith::XOrIOp::create(b, condition, boolean(true)); }

Value Emitter::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}

//===----------------------------------------------------------------------===//
// Floating point
//===----------------------------------------------------------------------===//

Type Emitter::vector(Type element, int64_t width) {
  return width == 1 ? element : VectorType::get({width}, element);
}

Value Emitter::f32Constant(double value, int64_t width) {
  Attribute scalar = b.getF32FloatAttr(static_cast<float>(value));
  if (width == 1)
    return arith::ConstantOp::create(b, cast<TypedAttr>(scalar));
  return arith::ConstantOp::create(b,
                                   SplatElementsAttr::get(VectorType::get({width}, f32), scalar));
}

Value Emitter::splat(Value scalar, int64_t width) {
  if (width == 1)
    return scalar;
  return vector::BroadcastOp::create(b, VectorType::get({width}, scalar.getType()), scalar);
}

Value Emitter::fma(Value x, Value y, Value z) { return math::FmaOp::create(b, x, y, z); }
Value Emitter::exp(Value x) { return math::ExpOp::create(b, x); }

Value Emitter::expNotPositive(Value x) {
  auto op = math::ExpOp::create(b, x);
  op->setAttr(kNotPositiveAttr, b.getUnitAttr());
  return op;
}

Value Emitter::larger(Value x, Value y) {
  return select(arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y), x, y);
}

/// Combines halves until one element is left: an order that depends on the register's width alone.
static Value reduce(ImplicitLocOpBuilder &b, Value x,
                    llvm::function_ref<Value(Value, Value)> combine) {
  if (!isa<VectorType>(x.getType()))
    return x;
  int64_t width = cast<VectorType>(x.getType()).getDimSize(0);
  while (width > 1) {
    width /= 2;
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < width; ++i) {
      low.push_back(i);
      high.push_back(i + width);
    }
    Value a = vector::ShuffleOp::create(b, x, x, low), c = vector::ShuffleOp::create(b, x, x, high);
    x = combine(a, c);
  }
  return vector::ExtractOp::create(b, x, 0);
}

Value Emitter::horizontalSum(Value x) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(x.getType()));
  return reduce(b, x, [&](Value x, Value y) {
    return isFloat ? Value(arith::AddFOp::create(b, x, y)) : Value(arith::AddIOp::create(b, x, y));
  });
}

Value Emitter::horizontalMax(Value x) {
  return reduce(b, x, [&](Value x, Value y) { return larger(x, y); });
}

Value Emitter::compareLanes(arith::CmpIPredicate predicate, Value bound, int64_t width) {
  SmallVector<int32_t> steps = llvm::to_vector(llvm::seq<int32_t>(0, static_cast<int32_t>(width)));
  auto type = VectorType::get({width}, i32);
  Value lane = arith::ConstantOp::create(b, DenseIntElementsAttr::get(type, steps));
  return arith::CmpIOp::create(b, predicate, lane,
                               splat(arith::TruncIOp::create(b, i32, bound), width));
}

Value Emitter::maskBelow(Value count, int64_t width) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, sequence(constant(0), width),
                               splat(count, width));
}

Value Emitter::sequence(Value start, int64_t width) {
  if (width == 1)
    return start;
  SmallVector<int64_t> steps = llvm::to_vector(llvm::seq<int64_t>(0, width));
  auto type = VectorType::get({width}, i64);
  Value step = arith::ConstantOp::create(b, DenseIntElementsAttr::get(type, steps));
  return arith::AddIOp::create(b, splat(start, width), step);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static Type storageType(Type element) {
  if (element.isInteger(1))
    return IntegerType::get(element.getContext(), 8);
  // bf16 is handled in integers: LLVM would call a library function to round it where there is no
  // instruction.
  if (element.isBF16())
    return IntegerType::get(element.getContext(), 16);
  return element;
}

static unsigned alignmentOf(Type element) {
  return isa<LLVM::LLVMPointerType>(element) ? 8 : graph::getElementBytes(element);
}

Value Emitter::offset(Value base, Type element, Value index) {
  return LLVM::GEPOp::create(b, pointer, storageType(element), base, ValueRange{index});
}

void Emitter::prefetch(Value pointer, Value bytes, int level, bool isWrite) {
  LLVM::Prefetch::create(b, offset(pointer, i8, bytes), /*rw=*/isWrite, /*hint=*/level,
                         /*cache=*/1);
}

Value Emitter::load(Type element, Value base, Value index, Lanes lanes) {
  Value address = offset(base, element, index);
  Type type = vector(storageType(element), lanes.width);
  unsigned alignment = alignmentOf(element);
  if (lanes.mask) {
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
    return widen(element,
                 LLVM::MaskedLoadOp::create(b, type, address, lanes.mask, zero, alignment));
  }
  return widen(element, LLVM::LoadOp::create(b, type, address, alignment));
}

void Emitter::store(Type element, Value value, Value base, Value index, Lanes lanes) {
  Value address = offset(base, element, index);
  Value raw = narrow(element, value);
  unsigned alignment = alignmentOf(element);
  if (lanes.mask)
    LLVM::MaskedStoreOp::create(b, raw, address, lanes.mask, alignment);
  else
    LLVM::StoreOp::create(b, raw, address, alignment);
}

void Emitter::transpose(MutableArrayRef<Value> rows) {
  int64_t n = rows.size();
  // Blocks of d x d elements off the diagonal change places, for d = n / 2, ..., 1.
  for (int64_t d = n / 2; d >= 1; d /= 2) {
    SmallVector<int64_t> upper, lower; // of [a; c], lanes of c from n on
    for (int64_t j = 0; j < n; ++j) {
      upper.push_back(j & d ? n + j - d : j);
      lower.push_back(j & d ? n + j : j + d);
    }
    for (int64_t i = 0; i < n; ++i) {
      if (i & d)
        continue;
      Value a = rows[i], c = rows[i + d];
      rows[i] = vector::ShuffleOp::create(b, a, c, upper);
      rows[i + d] = vector::ShuffleOp::create(b, a, c, lower);
    }
  }
}

Value Emitter::widen(Type element, Value raw) {
  auto like = [&](Type type) -> Type {
    auto vector = dyn_cast<VectorType>(raw.getType());
    return vector ? VectorType::get(vector.getShape(), type) : type;
  };
  auto number = [&](int64_t value) -> Value {
    Attribute scalar = b.getI32IntegerAttr(value);
    if (auto vector = dyn_cast<VectorType>(like(i32)))
      return arith::ConstantOp::create(b, SplatElementsAttr::get(vector, scalar));
    return arith::ConstantOp::create(b, cast<TypedAttr>(scalar));
  };
  if (element.isInteger(1))
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, raw,
                                 arith::ConstantOp::create(b, b.getZeroAttr(raw.getType())));
  if (element.isF16())
    return arith::ExtFOp::create(b, like(f32), raw);
  if (element.isBF16()) {
    Value wide = arith::ExtUIOp::create(b, like(i32), raw);
    return arith::BitcastOp::create(b, like(f32), arith::ShLIOp::create(b, wide, number(16)));
  }
  return raw;
}

Value Emitter::narrow(Type element, Value value) {
  auto like = [&](Type type) -> Type {
    auto vector = dyn_cast<VectorType>(value.getType());
    return vector ? VectorType::get(vector.getShape(), type) : type;
  };
  auto number = [&](int64_t n) -> Value {
    Attribute scalar = b.getI32IntegerAttr(n);
    if (auto vector = dyn_cast<VectorType>(like(i32)))
      return arith::ConstantOp::create(b, SplatElementsAttr::get(vector, scalar));
    return arith::ConstantOp::create(b, cast<TypedAttr>(scalar));
  };
  if (element.isInteger(1))
    return arith::ExtUIOp::create(b, like(i8), value);
  if (element.isF16())
    return arith::TruncFOp::create(b, like(element), value);
  if (element.isBF16()) {
    // Round to nearest even on the bits; a NaN keeps its upper half with a bit set that survives.
    Value bits = arith::BitcastOp::create(b, like(i32), value);
    Value odd = arith::AndIOp::create(b, arith::ShRUIOp::create(b, bits, number(16)), number(1));
    Value rounded = arith::AddIOp::create(b, bits, arith::AddIOp::create(b, odd, number(0x7fff)));
    Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, value, value);
    Value quiet = arith::OrIOp::create(b, bits, number(0x400000));
    Value chosen = arith::SelectOp::create(b, isNan, quiet, rounded);
    return arith::TruncIOp::create(b, like(b.getI16Type()),
                                   arith::ShRUIOp::create(b, chosen, number(16)));
  }
  return value;
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

void Emitter::loop(Value from, Value to, int64_t step, Body body) {
  scf::ForOp::create(b, from, to, constant(step), ValueRange{},
                     [&](OpBuilder &nested, Location, Value iv, ValueRange) {
                       OpBuilder::InsertionGuard guard(b);
                       b.restoreInsertionPoint(nested.saveInsertionPoint());
                       body(iv);
                       scf::YieldOp::create(b);
                     });
}

SmallVector<Value> Emitter::loop(Value from, Value to, int64_t step, ValueRange initial,
                                 Reduction body) {
  auto loop = scf::ForOp::create(b, from, to, constant(step), initial,
                                 [&](OpBuilder &nested, Location, Value iv, ValueRange carried) {
                                   OpBuilder::InsertionGuard guard(b);
                                   b.restoreInsertionPoint(nested.saveInsertionPoint());
                                   SmallVector<Value> next = body(iv, carried);
                                   scf::YieldOp::create(b, next);
                                 });
  return SmallVector<Value>(loop.getResults());
}

void Emitter::when(Value condition, llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  body();
}

void Emitter::columns(Value size, bool vectorised, llvm::function_ref<void(Value, Lanes)> body) {
  columns(size, vectorised, ValueRange{}, [&](Value column, Lanes lanes, ValueRange) {
    body(column, lanes);
    return SmallVector<Value>{};
  });
}

SmallVector<Value>
Emitter::columns(Value size, bool vectorised, ValueRange initial,
                 llvm::function_ref<SmallVector<Value>(Value, Lanes, ValueRange)> body) {
  if (!vectorised)
    return loop(constant(0), size, 1, initial,
                [&](Value column, ValueRange carried) { return body(column, Lanes{}, carried); });
  int64_t width = model.lanes;
  IntegerAttr known;
  bool isConstant = matchPattern(size, m_Constant(&known));
  Value whole = isConstant ? constant(known.getInt() / width * width)
                           : mul(div(size, constant(width)), width);
  SmallVector<Value> carried =
      loop(constant(0), whole, width, initial, [&](Value column, ValueRange values) {
        return body(column, Lanes{width, nullptr}, values);
      });
  if (isConstant && known.getInt() % width == 0)
    return carried;
  Value rest = sub(size, whole);
  if (isConstant)
    return body(whole, Lanes{width, maskBelow(rest, width)}, carried);
  SmallVector<Type> types;
  for (Value value : carried)
    types.push_back(value.getType());
  auto branch = scf::IfOp::create(b, types, less(constant(0), rest), /*addThenBlock=*/true,
                                  /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  SmallVector<Value> last = body(whole, Lanes{width, maskBelow(rest, width)}, carried);
  scf::YieldOp::create(b, last);
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, carried);
  return SmallVector<Value>(branch.getResults());
}

} // namespace ashlar::cpu
