// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vocabulary in which kernels are written: 64-bit integers, pointers, vectors of f32 and
// structured loops. Memory is accessed through LLVM pointers, arithmetic is arith/math, control
// flow scf, until all is lowered together.
//
// Lanes says how wide an element is: one value, or a register of `width` elements along the last
// dimension, of which only those in `mask` exist (null: all).

#ifndef ASHLAR_CODEGEN_CPU_EMITTER_H
#define ASHLAR_CODEGEN_CPU_EMITTER_H

#include "codegen/CPU/CpuTarget.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ashlar::cpu {

struct Lanes {
  int64_t width = 1;
  mlir::Value mask;

  bool isScalar() const { return width == 1; }
};

class Emitter {
public:
  using Value = mlir::Value;
  using Body = llvm::function_ref<void(Value)>;
  using Reduction = llvm::function_ref<llvm::SmallVector<Value>(Value, mlir::ValueRange)>;

  Emitter(mlir::OpBuilder &builder, mlir::Location loc, const CpuModel &model);

  mlir::ImplicitLocOpBuilder b;
  const CpuModel &model;
  mlir::Type i1, i8, i32, i64, f32, pointer;

  // Integers.
  Value constant(int64_t value);
  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value mul(Value x, int64_t y) { return mul(x, constant(y)); }
  Value add(Value x, int64_t y) { return y == 0 ? x : add(x, constant(y)); }
  Value div(Value x, Value y); // both not negative
  Value rem(Value x, Value y);
  Value shiftLeft(Value x, Value y);
  Value shiftRight(Value x, Value y); // of x not negative
  Value ceilDiv(Value x, int64_t y) { return div(add(x, y - 1), constant(y)); }
  Value min(Value x, Value y);
  Value max(Value x, Value y);
  Value less(Value x, Value y);
  Value equal(Value x, Value y);
  Value isNot(Value condition);
  Value boolean(bool value);
  Value select(Value condition, Value x, Value y);

  // f32 scalars and vectors.
  mlir::Type vector(mlir::Type element, int64_t width);
  Value f32Constant(double value, int64_t width = 1);
  Value splat(Value scalar, int64_t width);
  Value fma(Value x, Value y, Value z);
  Value exp(Value x);
  /// exp for arguments that are not positive (or NaN), which takes a few operations less.
  Value expNotPositive(Value x);
  /// x > y ? x : y, one instruction; where one of them is not a number, y.
  Value larger(Value x, Value y);

  // Memory. Elements of f16 and bf16 are widened when loaded and rounded to nearest even when
  // stored; i1 takes a byte.
  Value offset(Value pointer, mlir::Type element, Value index);
  Value load(mlir::Type element, Value pointer, Value index, Lanes lanes = {});
  void store(mlir::Type element, Value value, Value pointer, Value index, Lanes lanes = {});

  /// Asks for the cache line at `pointer` + `bytes`: 3 into the first-level cache, 2 into the
  /// second. Any address will do. `isWrite`: to write it.
  void prefetch(Value pointer, Value bytes, int level, bool isWrite = false);

  /// The value as storing it in `element` and loading it again would give it.
  Value round(mlir::Type element, Value value) { return widen(element, narrow(element, value)); }
  /// Transposes as many f32 registers as each has lanes.
  void transpose(llvm::MutableArrayRef<Value> rows);

  // Control flow.
  void loop(Value from, Value to, int64_t step, Body body);
  llvm::SmallVector<Value> loop(Value from, Value to, int64_t step, mlir::ValueRange initial,
                                Reduction body);
  void when(Value condition, llvm::function_ref<void()> body);

  /// Runs the body over [0, size) in registers of `lanes` elements and, where there is a rest, once
  /// with a mask. `columnwise` false runs it element by element.
  void columns(Value size, bool vectorised, llvm::function_ref<void(Value, Lanes)> body);
  /// The same with values carried from step to step. The carried values have the width of the lanes
  /// that the body is given, so a reduction runs in `width` independent lanes.
  llvm::SmallVector<Value>
  columns(Value size, bool vectorised, mlir::ValueRange initial,
          llvm::function_ref<llvm::SmallVector<Value>(Value, Lanes, mlir::ValueRange)> body);
  int64_t width(bool vectorised) const { return vectorised ? model.lanes : 1; }

  /// A mask of the lanes below `count`.
  Value maskBelow(Value count, int64_t width);
  /// Compares 0, 1, ... with a bound that 32 bits hold.
  Value compareLanes(mlir::arith::CmpIPredicate predicate, Value bound, int64_t width);
  /// start, start + 1, ... in i64.
  Value sequence(Value start, int64_t width);
  /// The sum (or maximum) of all lanes; a scalar is returned as it is.
  Value horizontalSum(Value x);
  Value horizontalMax(Value x);

private:
  Value widen(mlir::Type element, Value raw);
  Value narrow(mlir::Type element, Value value);
};

} // namespace ashlar::cpu

#endif
