// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The online softmax over one block of keys (Milakov and Gimelshein, 2018). Which keys there are
// and the mask of keys say is one flag per key, the same for all rows; position by position only
// those blocks are looked at that causality or a window cuts through.

#include "codegen/CPU/AttentionKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;

namespace ashlar::cpu {

static constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

void AttentionKernel::emitSoftmax(KernelContext &c, const Item &item, const Block &block) const {
  Emitter &e = c.e;
  emitFlags(c, item, block);
  auto emitRows = [&](bool byPosition) {
    e.loop(e.constant(0), item.rows, 1,
           [&](Value row) { emitRow(c, item, block, row, byPosition); });
  };
  if (!op.getCausal() && !op.getWindow())
    return emitRows(false);
  Value isCut = hasPartialRows(c, item, block);
  e.when(isCut, [&] { emitRows(true); });
  e.when(e.isNot(isCut), [&] { emitRows(false); });
}

/// flags[key] = 1 where the key is one and the mask has it, else 0.
void AttentionKernel::emitFlags(KernelContext &c, const Item &item, const Block &block) const {
  Emitter &e = c.e;
  Value keyMask = op.getKeyMask(), last = e.sub(c.evaluator.size(keyRoom), e.constant(1));
  e.columns(block.columns, !keyMask || c.evaluator.isVectorisable(keyMask),
            [&](Value at, Lanes lanes) {
              Value key = e.add(block.firstKey, at), left = e.sub(item.keyCount, key);
              Value mask =
                  lanes.isScalar() ? e.less(e.constant(0), left) : e.maskBelow(left, lanes.width);
              if (keyMask) {
                // One by one there is no masked load: the last key stands for those behind it.
                Value from = lanes.isScalar() ? e.min(key, last) : key;
                Value kept = c.evaluator.evaluate(keyMask, {item.batch, from},
                                                  {lanes.width, lanes.isScalar() ? Value() : mask});
                Value zero = arith::ConstantOp::create(e.b, e.b.getZeroAttr(kept.getType()));
                mask = arith::AndIOp::create(
                    e.b, mask, arith::CmpIOp::create(e.b, arith::CmpIPredicate::ne, kept, zero));
              }
              Value flags =
                  e.select(mask, e.f32Constant(1.0, lanes.width), e.f32Constant(0.0, lanes.width));
              e.store(e.f32, flags, item.flags, at, {lanes.width, nullptr});
            });
}

/// Whether some row sees a part of the block only: its last key lies behind the first row, or its
/// first key before the last row's window.
Value AttentionKernel::hasPartialRows(KernelContext &c, const Item &item,
                                      const Block &block) const {
  Emitter &e = c.e;
  auto positionOf = [&](Value row) { return e.add(item.offset, splitRow(c, item, row).first); };
  Value isCut;
  if (op.getCausal())
    isCut = e.less(positionOf(e.constant(0)),
                   e.add(block.firstKey, e.sub(block.columns, e.constant(1))));
  if (op.getWindow()) {
    Value least = e.sub(positionOf(e.sub(item.rows, e.constant(1))), e.constant(*op.getWindow()));
    Value isBefore = e.less(block.firstKey, e.add(least, 1));
    isCut = isCut ? Value(arith::OrIOp::create(e.b, isCut, isBefore)) : isBefore;
  }
  return isCut;
}

/// Which of the keys from `at` on a query at `position` sees.
Value AttentionKernel::emitMask(KernelContext &c, const Item &item, const Block &block, Value at,
                                Value position) const {
  Emitter &e = c.e;
  int64_t lanes = e.model.lanes;
  Value flags = e.load(e.f32, item.flags, at, {lanes, nullptr});
  Value mask =
      arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, flags, e.f32Constant(0.0, lanes));
  if (!position)
    return mask;
  // Relative to the first key of the register, where 32 bits do.
  Value first = e.add(block.firstKey, at);
  auto compare = [&](arith::CmpIPredicate predicate, Value bound) {
    Value near = e.max(e.min(e.sub(bound, first), e.constant(lanes)), e.constant(-1));
    return e.compareLanes(predicate, near, lanes);
  };
  if (op.getCausal())
    mask = arith::AndIOp::create(e.b, mask, compare(arith::CmpIPredicate::sle, position));
  if (op.getWindow())
    mask = arith::AndIOp::create(
        e.b, mask,
        compare(arith::CmpIPredicate::sgt, e.sub(position, e.constant(*op.getWindow()))));
  return mask;
}

void AttentionKernel::emitRow(KernelContext &c, const Item &item, const Block &block, Value row,
                              bool byPosition) const {
  Emitter &e = c.e;
  int64_t lanes = e.model.lanes;
  Lanes whole{lanes, nullptr};
  Value position = byPosition ? e.add(item.offset, splitRow(c, item, row).first) : Value();
  Value scores = e.offset(item.scores, e.f32, e.mul(row, kKeyBlock));
  Value hidden = e.f32Constant(kMinusInfinity, lanes);
  Value blockMax = e.loop(e.constant(0), block.columns, lanes, hidden,
                          [&](Value at, ValueRange carried) -> SmallVector<Value> {
                            Value mask = emitMask(c, item, block, at, position);
                            Value x = e.select(mask, e.load(e.f32, scores, at, whole), hidden);
                            e.store(e.f32, x, scores, at, whole);
                            return {e.larger(carried[0], x)};
                          })
                       .front();
  Value before = e.load(e.f32, item.largest, row);
  Value after = e.larger(before, e.horizontalMax(blockMax));
  // A row that has seen no key yet has no maximum; any number will do to subtract. (Behind a NaN
  // the maximum may be too small: the NaN's own exponential makes the row's sum NaN all the same.)
  Value none =
      arith::CmpFOp::create(e.b, arith::CmpFPredicate::OEQ, after, e.f32Constant(kMinusInfinity));
  Value shift = e.select(none, e.f32Constant(0.0), after);
  Value shifts = e.splat(shift, lanes);
  Value sums = e.loop(e.constant(0), block.columns, lanes, e.f32Constant(0.0, lanes),
                      [&](Value at, ValueRange carried) -> SmallVector<Value> {
                        Value x = e.load(e.f32, scores, at, whole);
                        Value power = e.expNotPositive(arith::SubFOp::create(e.b, x, shifts));
                        e.store(e.f32, power, scores, at, whole);
                        return {arith::AddFOp::create(e.b, carried[0], power)};
                      })
                   .front();
  Value sum = e.horizontalSum(sums);
  e.store(e.f32, after, item.largest, row);
  // The first block has nothing to correct.
  e.when(block.isFirst, [&] { e.store(e.f32, sum, item.sums, row); });
  e.when(e.isNot(block.isFirst), [&] {
    Value correction = e.expNotPositive(arith::SubFOp::create(e.b, before, shift));
    e.store(e.f32, e.fma(e.load(e.f32, item.sums, row), correction, sum), item.sums, row);
    emitRescale(c, item, row, correction);
  });
}

/// O[row] *= factor.
void AttentionKernel::emitRescale(KernelContext &c, const Item &item, Value row,
                                  Value factor) const {
  Emitter &e = c.e;
  Lanes whole{e.model.lanes, nullptr};
  Value factors = e.splat(factor, e.model.lanes);
  e.loop(e.constant(0), e.constant(paddedWidth), e.model.lanes, [&](Value column) {
    Value at = e.add(e.mul(row, paddedWidth), column);
    Value scaled = arith::MulFOp::create(e.b, e.load(e.f32, item.output, at, whole), factors);
    e.store(e.f32, scaled, item.output, at, whole);
  });
}

} // namespace ashlar::cpu
