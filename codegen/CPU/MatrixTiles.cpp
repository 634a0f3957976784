// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/MatrixTiles.h"

#include "codegen/CPU/Bf16Unit.h"
#include "codegen/CPU/Functions.h"

using namespace mlir;

namespace ashlar::cpu {

namespace {

/// A group of rows, in rows of tiles.
constexpr int64_t kGroupTiles = 2;
/// Columns of tiles of a call.
constexpr int64_t kColumnTiles = kPanel / kTileRows;
/// Elements of a full tile of A or B.
constexpr int64_t kTileElements = kTileRows * kTileDepth;

/// A function of its own: how many rows of tiles, how many pairs of the depth a step takes, and
/// whether there are sums.
struct MatrixShape {
  int64_t rowTiles;
  int64_t pairs;
  bool accumulate;

  std::string getName() const {
    return "matrix_tile_" + std::to_string(rowTiles) + "_" + std::to_string(pairs) +
           (accumulate ? "_more" : "");
  }
};

struct MatrixArguments {
  Value a, tileRowStride, b, runStride, c, ldc, steps;
};

void emitKernel(Emitter &e, const MatrixShape &shape, const MatrixArguments &args) {
  Bf16Unit unit(e);
  Type bf16 = e.b.getBF16Type();
  Value stride = e.mul(args.ldc, 4);
  auto getSums = [&](int64_t row, int64_t column) {
    return e.offset(args.c, e.f32, e.add(e.mul(args.ldc, row * kTileRows), column * kTileRows));
  };
  SmallVector<Value> initial;
  for (int64_t row = 0; row < shape.rowTiles; ++row)
    for (int64_t column = 0; column < kColumnTiles; ++column)
      initial.push_back(shape.accumulate ? unit.loadSums(getSums(row, column), stride)
                                         : unit.zeroSums());
  SmallVector<Value> sums =
      e.loop(e.constant(0), args.steps, 1, initial, [&](Value step, ValueRange carried) {
        Value at = e.mul(step, kTileElements);
        SmallVector<Value> right, next(carried);
        for (int64_t column = 0; column < kColumnTiles; ++column)
          right.push_back(unit.loadRight(
              e.offset(args.b, bf16, e.add(e.mul(args.runStride, column), at)), shape.pairs));
        for (int64_t row = 0; row < shape.rowTiles; ++row) {
          Value left = unit.loadLeft(
              e.offset(args.a, bf16, e.add(e.mul(args.tileRowStride, row), at)), shape.pairs);
          for (int64_t column = 0; column < kColumnTiles; ++column) {
            Value &sum = next[row * kColumnTiles + column];
            sum = unit.multiply(sum, left, right[column], shape.pairs);
          }
        }
        return next;
      });
  for (int64_t row = 0; row < shape.rowTiles; ++row)
    for (int64_t column = 0; column < kColumnTiles; ++column)
      unit.storeSums(sums[row * kColumnTiles + column], getSums(row, column), stride);
}

void callKernel(Emitter &e, ModuleOp module, const MatrixShape &shape,
                const MatrixArguments &args) {
  SmallVector<Value> inputs = {args.a, args.tileRowStride, args.b,    args.runStride,
                               args.c, args.ldc,           args.steps};
  callFunction(e, module, shape.getName(), inputs, [&](ValueRange in) {
    emitKernel(e, shape, {in[0], in[1], in[2], in[3], in[4], in[5], in[6]});
  });
}

} // namespace

void emitMatrixTiles(Emitter &e, ModuleOp module, const MatrixProduct &p,
                     llvm::function_ref<void(Value, Value)> finish) {
  Type bf16 = e.b.getBF16Type();
  int64_t steps = p.depth / kTileDepth, pairs = llvm::divideCeil(p.depth % kTileDepth, 2);
  constexpr int64_t groupRows = kGroupTiles * kTileRows;
  auto emitGroup = [&](Value group, int64_t rowTiles) {
    for (int64_t column = 0; column < p.columns; column += kPanel) {
      MatrixArguments args;
      args.a = e.offset(p.a, bf16, e.mul(group, e.mul(p.tileRowStride, kGroupTiles)));
      args.tileRowStride = p.tileRowStride;
      args.b = e.offset(p.b, bf16, e.mul(p.runStride, column / kTileRows));
      args.runStride = p.runStride;
      args.c = e.offset(p.c, e.f32, e.add(e.mul(group, e.mul(p.ldc, groupRows)), column));
      args.ldc = p.ldc;
      args.steps = e.constant(steps);
      if (steps > 0)
        callKernel(e, module, {rowTiles, kTileRows, p.accumulate}, args);
      if (pairs == 0)
        continue;
      args.a = e.offset(args.a, bf16, e.constant(steps * kTileElements));
      args.b = e.offset(args.b, bf16, e.constant(steps * kTileElements));
      args.steps = e.constant(1);
      callKernel(e, module, {rowTiles, pairs, p.accumulate || steps > 0}, args);
    }
  };
  e.loop(e.constant(0), e.ceilDiv(p.rows, groupRows), 1, [&](Value group) {
    Value first = e.mul(group, groupRows);
    Value count = e.min(e.sub(p.rows, first), e.constant(groupRows));
    Value isSmall = e.less(count, e.constant(kTileRows + 1));
    e.when(isSmall, [&] { emitGroup(group, 1); });
    e.when(e.isNot(isSmall), [&] { emitGroup(group, kGroupTiles); });
    if (finish)
      finish(first, count);
  });
}

} // namespace ashlar::cpu
