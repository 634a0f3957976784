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
/// Rows whose sums along the lanes, each a chain of dependent steps, are computed side by side.
static constexpr int64_t kRowsAtOnce = 4;

void AttentionKernel::emitSoftmax(KernelContext &c, const Item &item, const Block &block) const {
  Emitter &e = c.e;
  emitFlags(c, item, block);
  auto emitAll = [&](bool byPosition) {
    Value whole = e.mul(e.div(item.rows, e.constant(kRowsAtOnce)), kRowsAtOnce);
    auto emitEach = [&](Value from, Value to, int64_t count) {
      e.loop(from, to, count, [&](Value row) { emitRows(c, item, block, row, count, byPosition); });
    };
    emitEach(e.constant(0), whole, kRowsAtOnce);
    emitEach(whole, item.rows, 1);
  };
  if (!op.getCausal() && !op.getWindow())
    return emitAll(false);
  Value isCut = hasPartialRows(c, item, block);
  e.when(isCut, [&] { emitAll(true); });
  e.when(e.isNot(isCut), [&] { emitAll(false); });
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

/// Which of those keys from `at` on that `mask` has a query at `position` sees.
Value AttentionKernel::emitMask(KernelContext &c, const Block &block, Value at, Value mask,
                                Value position) const {
  Emitter &e = c.e;
  int64_t lanes = e.model.lanes;
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

void AttentionKernel::emitRows(KernelContext &c, const Item &item, const Block &block,
                               Value firstRow, int64_t count, bool byPosition) const {
  Emitter &e = c.e;
  int64_t lanes = e.model.lanes;
  Lanes whole{lanes, nullptr};
  SmallVector<Value> rows, positions, scores;
  for (int64_t i = 0; i < count; ++i) {
    Value row = e.add(firstRow, i);
    rows.push_back(row);
    scores.push_back(e.offset(item.scores, e.f32, e.mul(row, kKeyBlock)));
    if (byPosition)
      positions.push_back(e.add(item.offset, splitRow(c, item, row).first));
  }
  Value hidden = e.f32Constant(kMinusInfinity, lanes);
  SmallVector<Value> blockMax =
      e.loop(e.constant(0), block.columns, lanes, SmallVector<Value>(count, hidden),
             [&](Value at, ValueRange carried) {
               Value flags = e.load(e.f32, item.flags, at, whole);
               Value kept = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OGT, flags,
                                                  e.f32Constant(0.0, lanes));
               SmallVector<Value> largest;
               for (int64_t i = 0; i < count; ++i) {
                 Value mask = byPosition ? emitMask(c, block, at, kept, positions[i]) : kept;
                 Value x = e.select(mask, e.load(e.f32, scores[i], at, whole), hidden);
                 e.store(e.f32, x, scores[i], at, whole);
                 largest.push_back(e.larger(carried[i], x));
               }
               return largest;
             });
  SmallVector<Value> before, shifts, splats;
  for (int64_t i = 0; i < count; ++i) {
    before.push_back(e.load(e.f32, item.largest, rows[i]));
    Value after = e.larger(before[i], e.horizontalMax(blockMax[i]));
    e.store(e.f32, after, item.largest, rows[i]);
    // A row that has seen no key yet has no maximum; any number will do to subtract. (Behind a NaN
    // the maximum may be too small: the NaN's own exponential makes the row's sum NaN all the
    // same.)
    Value none =
        arith::CmpFOp::create(e.b, arith::CmpFPredicate::OEQ, after, e.f32Constant(kMinusInfinity));
    shifts.push_back(e.select(none, e.f32Constant(0.0), after));
    splats.push_back(e.splat(shifts[i], lanes));
  }
  SmallVector<Value> sums = e.loop(
      e.constant(0), block.columns, lanes, SmallVector<Value>(count, e.f32Constant(0.0, lanes)),
      [&](Value at, ValueRange carried) {
        SmallVector<Value> next;
        for (int64_t i = 0; i < count; ++i) {
          Value x = e.load(e.f32, scores[i], at, whole);
          Value power = e.expNotPositive(arith::SubFOp::create(e.b, x, splats[i]));
          e.store(e.f32, power, scores[i], at, whole);
          next.push_back(arith::AddFOp::create(e.b, carried[i], power));
        }
        return next;
      });
  for (int64_t i = 0; i < count; ++i)
    sums[i] = e.horizontalSum(sums[i]);
  // The first block has nothing to correct.
  e.when(block.isFirst, [&] {
    for (int64_t i = 0; i < count; ++i)
      e.store(e.f32, sums[i], item.sums, rows[i]);
  });
  e.when(e.isNot(block.isFirst), [&] {
    for (int64_t i = 0; i < count; ++i) {
      Value correction = e.expNotPositive(arith::SubFOp::create(e.b, before[i], shifts[i]));
      Value sum = e.fma(e.load(e.f32, item.sums, rows[i]), correction, sums[i]);
      e.store(e.f32, sum, item.sums, rows[i]);
      emitRescale(c, item, rows[i], correction);
    }
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
