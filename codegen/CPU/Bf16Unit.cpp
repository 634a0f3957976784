// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/Bf16Unit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace ashlar::cpu {

/// Rows of left and right tiles lie next to each other: this many bytes.
static constexpr int64_t kRowBytes = 4 * kTileRows;

Value Bf16Unit::call(Type result, StringRef intrinsic, ValueRange operands) {
  StringAttr name = e.b.getStringAttr(intrinsic);
  if (!result) {
    LLVM::CallIntrinsicOp::create(e.b, name, operands);
    return nullptr;
  }
  return LLVM::CallIntrinsicOp::create(e.b, result, name, operands).getResults();
}

/// A number of rows or of bytes in a row, as AMX's instructions take it.
Value Bf16Unit::shape(int64_t value) {
  return arith::ConstantOp::create(e.b, e.b.getI16IntegerAttr(value));
}

/// The earlier or the later elements of pairs, as f32.
Value Bf16Unit::widen(Value pairs, bool upper) {
  auto type = cast<VectorType>(pairs.getType());
  auto splat = [&](uint32_t value) -> Value {
    return arith::ConstantOp::create(e.b, SplatElementsAttr::get(type, APInt(32, value)));
  };
  Value bits = upper ? Value(arith::AndIOp::create(e.b, pairs, splat(0xffff0000u)))
                     : Value(arith::ShLIOp::create(e.b, pairs, splat(16)));
  return arith::BitcastOp::create(e.b, VectorType::get(type.getShape(), e.f32), bits);
}

Value Bf16Unit::dot(Value sums, Value left, Value right) {
  if (e.model.emulated) {
    Value later = e.fma(widen(left, true), widen(right, true), sums);
    return e.fma(widen(left, false), widen(right, false), later);
  }
  Type pairs = VectorType::get({2 * e.model.lanes}, e.b.getBF16Type());
  return call(sums.getType(), "llvm.x86.avx512bf16.dpbf16ps.512",
              {sums, LLVM::BitcastOp::create(e.b, pairs, left),
               LLVM::BitcastOp::create(e.b, pairs, right)});
}

/// An emulated tile: a register for each row.
static Value getEmptyTile(Emitter &e, Type element) {
  Type type = LLVM::LLVMArrayType::get(e.vector(element, kTileRows), kTileRows);
  return LLVM::ZeroOp::create(e.b, type);
}

/// Loads `rows` rows of `columns` 32-bit elements; what is missing is zero.
Value Bf16Unit::load(Type element, Value address, Value stride, int64_t rows, int64_t columns) {
  if (!e.model.emulated)
    return call(LLVM::LLVMX86AMXType::get(e.b.getContext()), "llvm.x86.tileloadd64.internal",
                {shape(rows), shape(4 * columns), address, stride});
  Value tile = getEmptyTile(e, element);
  Lanes lanes{kTileRows, nullptr};
  if (columns < kTileRows)
    lanes.mask = e.maskBelow(e.constant(columns), kTileRows);
  for (int64_t row = 0; row < rows; ++row) {
    Value from = e.offset(address, e.i8, e.mul(stride, row));
    tile = LLVM::InsertValueOp::create(e.b, tile, e.load(element, from, e.constant(0), lanes), row);
  }
  return tile;
}

Value Bf16Unit::zeroSums() {
  if (e.model.emulated)
    return getEmptyTile(e, e.f32);
  return call(LLVM::LLVMX86AMXType::get(e.b.getContext()), "llvm.x86.tilezero.internal",
              {shape(kTileRows), shape(kRowBytes)});
}

Value Bf16Unit::loadSums(Value address, Value stride) {
  return load(e.f32, address, stride, kTileRows, kTileRows);
}

void Bf16Unit::storeSums(Value sums, Value address, Value stride) {
  if (!e.model.emulated) {
    call(nullptr, "llvm.x86.tilestored64.internal",
         {shape(kTileRows), shape(kRowBytes), address, stride, sums});
    return;
  }
  for (int64_t row = 0; row < kTileRows; ++row)
    e.store(e.f32, LLVM::ExtractValueOp::create(e.b, sums, row),
            e.offset(address, e.i8, e.mul(stride, row)), e.constant(0), {kTileRows, nullptr});
}

Value Bf16Unit::loadLeft(Value address, int64_t pairs) {
  return load(e.i32, address, e.constant(kRowBytes), kTileRows, pairs);
}

Value Bf16Unit::loadRight(Value address, int64_t pairs) {
  return load(e.i32, address, e.constant(kRowBytes), pairs, kTileRows);
}

Value Bf16Unit::multiply(Value sums, Value left, Value right, int64_t pairs) {
  if (!e.model.emulated)
    return call(sums.getType(), "llvm.x86.tdpbf16ps.internal",
                {shape(kTileRows), shape(kRowBytes), shape(4 * pairs), sums, left, right});
  for (int64_t row = 0; row < kTileRows; ++row) {
    Value sum = LLVM::ExtractValueOp::create(e.b, sums, row);
    Value leftRow = LLVM::ExtractValueOp::create(e.b, left, row);
    for (int64_t pair = 0; pair < pairs; ++pair) {
      Value a = vector::ExtractOp::create(e.b, leftRow, pair);
      sum = dot(sum, e.splat(a, kTileRows), LLVM::ExtractValueOp::create(e.b, right, pair));
    }
    sums = LLVM::InsertValueOp::create(e.b, sums, sum, row);
  }
  return sums;
}

} // namespace ashlar::cpu
