// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row by row: everything that is elementwise, moves data, or reduces along the last dimension. A
// work item is one row (all dimensions but the last). Softmax and the norms make passes over the
// row; what a later pass needs again, and is more than a load, is kept in scratch. All results of
// one kernel have the same dimensions.

#include "codegen/CPU/Kernels.h"
#include "codegen/Common/InPlace.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cpu {

namespace {

Dims dimsOf(Value value) { return getDims(cast<RankedTensorType>(value.getType())); }

class RowsKernel : public KernelShape {
public:
  static FailureOr<std::unique_ptr<KernelShape>> create(func::FuncOp kernel);

  KernelDescription describe(llvm::ArrayRef<CpuModel>) const override {
    KernelDescription description;
    description.grid.push_back(asExtent(getElementCount(ArrayRef(outer)).terms.front()));
    Polynomial row = getElementCount({last});
    description.scratchBytes = floatBytes(row);
    description.scratchBytes *= static_cast<int64_t>(passes.size());
    return description;
  }
  void emit(KernelContext &context) const override;

private:
  using Column = llvm::function_ref<Value(Value element, Lanes lanes, Value accumulator)>;

  void emitPass(KernelContext &c, Operation *op, ArrayRef<Value> row, Value slot) const;
  void emitSoftmax(KernelContext &c, SoftmaxOp op, ArrayRef<Value> row, Value slot) const;
  void emitNorm(KernelContext &c, Operation *op, ArrayRef<Value> row, Value slot) const;
  /// Evaluates x along the row, folds it into lanes that start as `initial`, keeping it in `slot`
  /// where `keep` is set.
  Value fold(KernelContext &c, Value x, ArrayRef<Value> row, double initial, Value keep,
             Column column) const;
  void provideSlot(KernelContext &c, Value value, Value slot) const;

  mutable func::FuncOp kernel; // an op is a handle; its accessors are not const
  Dims outer;
  Dim last;
  SmallVector<Operation *> passes; // softmax and norms, in order
};

FailureOr<std::unique_ptr<KernelShape>> RowsKernel::create(func::FuncOp kernel) {
  auto shape = std::make_unique<RowsKernel>();
  shape->kernel = kernel;
  Operation *terminator = kernel.getBody().front().getTerminator();
  Value first = terminator->getOperand(0);
  Dims dims = dimsOf(first);
  for (Value value : terminator->getOperands())
    if (dimsOf(value) != dims)
      return kernel.emitError() << "kernel '" << kernel.getSymName()
                                << "' has results of different dimensions: " << first.getType()
                                << " and " << value.getType();
  shape->last = dims.empty() ? Dim::number(1) : dims.pop_back_val();
  shape->outer = dims;
  SmallVector<Value> rows; // at hand for one row at a time
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (isa<AttentionOp, CacheAppendOp, FusedOp, MergeAttentionOp, ReadOp, WriteOp>(op))
      return op.emitOpError() << "cannot be part of a row kernel";
    if (auto constant = dyn_cast<ConstantOp>(op); constant && !constant.getValue().isSplat())
      return op.emitOpError() << "is no single number; pass it as an argument";
    if (!isa<SoftmaxOp, LayerNormOp, RmsNormOp>(op))
      continue;
    Dims all = shape->outer;
    all.push_back(shape->last);
    if (dimsOf(op.getResult(0)) != all)
      return op.emitOpError() << "reduces rows of " << toString(dimsOf(op.getResult(0)))
                              << " in a kernel over " << toString(all);
    shape->passes.push_back(&op);
    rows.push_back(op.getResult(0));
    if (!isa<SoftmaxOp>(op) && !getView(op.getOperand(0)))
      rows.push_back(op.getOperand(0));
  }
  if (failed(verifyReadInPlace(rows, /*mayReshapeResults=*/false)))
    return failure();
  return std::unique_ptr<KernelShape>(std::move(shape));
}

void RowsKernel::emit(KernelContext &c) const {
  Emitter &e = c.e;
  Operation *terminator = kernel.getBody().front().getTerminator();
  Value width = c.evaluator.size(last);
  Value slotSize = e.mul(e.ceilDiv(width, 16), 16);
  bool isScalar = dimsOf(terminator->getOperand(0)).empty();
  e.loop(c.begin, c.end, 1, [&](Value item) {
    SmallVector<Value> row = c.evaluator.delinearise(item, outer);
    for (auto [index, op] : llvm::enumerate(passes))
      emitPass(c, op, row,
               e.offset(c.scratch, e.f32, e.mul(slotSize, static_cast<int64_t>(index))));
    bool vectorised = !isScalar && !last.isOne();
    for (Value value : terminator->getOperands())
      vectorised = vectorised && c.evaluator.isVectorisable(value);
    e.columns(width, vectorised, [&](Value column, Lanes lanes) {
      SmallVector<Value> at(row), results;
      if (!isScalar)
        at.push_back(column);
      for (Value value : terminator->getOperands())
        results.push_back(c.evaluator.evaluate(value, at, lanes));
      Value position = e.add(e.mul(item, width), column);
      for (auto [index, value] : llvm::enumerate(terminator->getOperands()))
        e.store(cast<RankedTensorType>(value.getType()).getElementType(), results[index],
                c.evaluator.resultBuffer(index), position, lanes);
    });
  });
}

void RowsKernel::emitPass(KernelContext &c, Operation *op, ArrayRef<Value> row, Value slot) const {
  if (auto softmax = dyn_cast<SoftmaxOp>(op))
    return emitSoftmax(c, softmax, row, slot);
  emitNorm(c, op, row, slot);
}

void RowsKernel::provideSlot(KernelContext &c, Value value, Value slot) const {
  c.evaluator.provide(value, [&c, slot](Evaluator::Index index, Lanes lanes) {
    return c.e.load(c.e.f32, slot, index.back(), lanes);
  });
}

Value RowsKernel::fold(KernelContext &c, Value x, ArrayRef<Value> row, double initial, Value keep,
                       Column column) const {
  Emitter &e = c.e;
  bool vectorised = !last.isOne() && c.evaluator.isVectorisable(x);
  Value start = e.f32Constant(initial, e.width(vectorised));
  return e
      .columns(c.evaluator.size(last), vectorised, start,
               [&](Value at, Lanes lanes, ValueRange carried) -> SmallVector<Value> {
                 SmallVector<Value> index(row);
                 index.push_back(at);
                 Value element = c.evaluator.evaluate(x, index, lanes);
                 if (keep)
                   e.store(e.f32, element, keep, at, lanes);
                 Value next = column(element, lanes, carried[0]);
                 return {lanes.mask ? e.select(lanes.mask, next, carried[0]) : next};
               })
      .front();
}

void RowsKernel::emitSoftmax(KernelContext &c, SoftmaxOp op, ArrayRef<Value> row,
                             Value slot) const {
  Emitter &e = c.e;
  Value lanesMax = fold(c, op.getX(), row, -std::numeric_limits<double>::infinity(), slot,
                        [&](Value x, Lanes, Value largest) { return e.larger(largest, x); });
  Value largest =
      e.horizontalMax(lanesMax); // behind a NaN it may be too small; the sum is NaN then
  auto kept = [&c, slot](Evaluator::Index index, Lanes lanes) {
    return c.e.load(c.e.f32, slot, index.back(), lanes);
  };
  // A second pass keeps the exponentials; the division is part of whoever reads the result.
  Value total = e.columns(c.evaluator.size(last), true, e.f32Constant(0.0, e.model.lanes),
                          [&](Value at, Lanes lanes, ValueRange carried) -> SmallVector<Value> {
                            Value x = e.load(e.f32, slot, at, lanes);
                            Value power = e.expNotPositive(
                                arith::SubFOp::create(e.b, x, e.splat(largest, lanes.width)));
                            e.store(e.f32, power, slot, at, lanes);
                            Value next = arith::AddFOp::create(e.b, carried[0], power);
                            return {lanes.mask ? e.select(lanes.mask, next, carried[0]) : next};
                          })
                    .front();
  Value scale = arith::DivFOp::create(e.b, e.f32Constant(1.0), e.horizontalSum(total));
  c.evaluator.provide(op.getY(), [&c, kept, scale](Evaluator::Index index, Lanes lanes) -> Value {
    return arith::MulFOp::create(c.e.b, kept(index, lanes), c.e.splat(scale, lanes.width));
  });
}

void RowsKernel::emitNorm(KernelContext &c, Operation *op, ArrayRef<Value> row, Value slot) const {
  Emitter &e = c.e;
  auto layerNorm = dyn_cast<LayerNormOp>(op);
  Value x = op->getOperand(0);
  // What is loaded anyway is not kept a second time.
  bool keep = !getView(x) && !c.evaluator.isProvided(x);
  Value keepIn = keep ? slot : Value();
  Value count = arith::SIToFPOp::create(e.b, e.f32, c.evaluator.size(last));
  Value mean;
  if (layerNorm) {
    Value sum = fold(c, x, row, 0.0, keepIn, [&](Value value, Lanes, Value sum) {
      return arith::AddFOp::create(e.b, sum, value);
    });
    mean = arith::DivFOp::create(e.b, e.horizontalSum(sum), count);
    if (keep)
      provideSlot(c, x, slot);
    keepIn = nullptr;
  }
  Value squares = fold(c, x, row, 0.0, keepIn, [&](Value value, Lanes lanes, Value sum) {
    Value centred =
        mean ? Value(arith::SubFOp::create(e.b, value, e.splat(mean, lanes.width))) : value;
    return e.fma(centred, centred, sum);
  });
  if (keep)
    provideSlot(c, x, slot);
  APFloat epsilon = layerNorm ? layerNorm.getEpsilon() : cast<RmsNormOp>(op).getEpsilon();
  Value variance = arith::DivFOp::create(e.b, e.horizontalSum(squares), count);
  Value deviation = math::SqrtOp::create(
      e.b, arith::AddFOp::create(e.b, variance, e.f32Constant(epsilon.convertToDouble())));
  Value scale = arith::DivFOp::create(e.b, e.f32Constant(1.0), deviation);
  // Weights may be views whose neighbours are not neighbours in memory.
  const bool inLanes = llvm::all_of(
      op->getOperands(), [&](Value operand) { return c.evaluator.isVectorisable(operand); });
  auto norm = [&c, op, x, mean, scale](Evaluator::Index index, Lanes lanes) -> Value {
    Emitter &e = c.e;
    Value value = c.evaluator.evaluate(x, index, lanes);
    if (mean)
      value = arith::SubFOp::create(e.b, value, e.splat(mean, lanes.width));
    value = arith::MulFOp::create(e.b, value, e.splat(scale, lanes.width));
    value = arith::MulFOp::create(
        e.b, value, c.evaluator.evaluate(op->getOperand(1), index.take_back(1), lanes));
    if (op->getNumOperands() > 2)
      value = arith::AddFOp::create(
          e.b, value, c.evaluator.evaluate(op->getOperand(2), index.take_back(1), lanes));
    return value;
  };
  c.evaluator.provide(op->getResult(0), norm, inLanes);
}

} // namespace

FailureOr<std::unique_ptr<KernelShape>> createRowsKernel(func::FuncOp kernel) {
  return RowsKernel::create(kernel);
}

} // namespace ashlar::cpu
