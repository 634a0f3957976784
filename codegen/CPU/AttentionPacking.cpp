// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Queries, keys and values in scratch, in the order in which the tiles read them. What makes them
// (slices of a merged product, rotations) is evaluated on the way.

#include "codegen/CPU/AttentionKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;

namespace ashlar::cpu {

void AttentionKernel::packKeys(KernelContext &c, const Item &item) const {
  Emitter &e = c.e;
  Value room = c.evaluator.size(keyRoom);
  if (c.evaluator.isVectorisable(op.getKeys()))
    e.loop(e.constant(0), room, e.model.lanes,
           [&](Value firstKey) { packKeyBlock(c, item, firstKey); });
  else
    e.loop(e.constant(0), room, 1, [&](Value key) { packKeyRows(c, item, key); });
  e.loop(e.constant(0), room, 1, [&](Value key) { packValues(c, item, key); });
}

/// One key, element by element.
void AttentionKernel::packKeyRows(KernelContext &c, const Item &item, Value key) const {
  Emitter &e = c.e;
  Value panel =
      e.add(e.mul(e.div(key, e.constant(kPanel)), width * kPanel), e.rem(key, e.constant(kPanel)));
  e.loop(e.constant(0), e.constant(width), 1, [&](Value column) {
    Value element = c.evaluator.evaluate(op.getKeys(), {item.batch, key, item.head, column});
    e.store(e.f32, element, item.keys, e.add(panel, e.mul(column, kPanel)));
  });
}

/// As many keys as a register has lanes, transposed in registers. Behind the last key it is
/// repeated; nobody sees those.
void AttentionKernel::packKeyBlock(KernelContext &c, const Item &item, Value firstKey) const {
  Emitter &e = c.e;
  int64_t lanes = e.model.lanes;
  Value last = e.sub(c.evaluator.size(keyRoom), e.constant(1));
  Value panel = e.add(e.mul(e.div(firstKey, e.constant(kPanel)), width * kPanel),
                      e.rem(firstKey, e.constant(kPanel)));
  e.columns(e.constant(width), true, [&](Value column, Lanes part) {
    SmallVector<Value> rows;
    for (int64_t i = 0; i < lanes; ++i)
      rows.push_back(c.evaluator.evaluate(
          op.getKeys(), {item.batch, e.min(e.add(firstKey, i), last), item.head, column}, part));
    e.transpose(rows);
    int64_t count = part.mask ? width % lanes : lanes;
    for (int64_t i = 0; i < count; ++i)
      e.store(e.f32, rows[i], item.keys, e.add(panel, e.mul(e.add(column, i), kPanel)),
              {lanes, nullptr});
  });
}

void AttentionKernel::packValues(KernelContext &c, const Item &item, Value key) const {
  Emitter &e = c.e;
  Value row = e.mul(key, paddedWidth);
  e.columns(e.constant(valueWidth), c.evaluator.isVectorisable(op.getValues()),
            [&](Value column, Lanes lanes) {
              Value elements =
                  c.evaluator.evaluate(op.getValues(), {item.batch, key, item.head, column}, lanes);
              e.store(e.f32, elements, item.values, e.add(row, column), lanes);
            });
  e.loop(e.constant(valueWidth), e.constant(paddedWidth), 1, [&](Value column) {
    e.store(e.f32, e.f32Constant(0.0), item.values, e.add(row, column));
  });
}

void AttentionKernel::packQueries(KernelContext &c, const Item &item) const {
  Emitter &e = c.e;
  bool vectorised = c.evaluator.isVectorisable(op.getQueries());
  double scale = op.getScale().convertToDouble();
  e.loop(e.constant(0), item.rows, 1, [&](Value row) {
    auto [position, head] = splitRow(c, item, row);
    e.columns(e.constant(width), vectorised,
              [&, position = position, head = head](Value column, Lanes lanes) {
                Value elements = c.evaluator.evaluate(op.getQueries(),
                                                      {item.batch, position, head, column}, lanes);
                Value scaled =
                    arith::MulFOp::create(e.b, elements, e.f32Constant(scale, lanes.width));
                e.store(e.f32, scaled, item.queries, e.add(e.mul(row, width), column), lanes);
              });
    e.store(e.f32, e.f32Constant(-std::numeric_limits<double>::infinity()), item.largest, row);
    e.store(e.f32, e.f32Constant(0.0), item.sums, row);
  });
  e.columns(e.mul(item.rows, paddedWidth), true, [&](Value at, Lanes lanes) {
    e.store(e.f32, e.f32Constant(0.0, lanes.width), item.output, at, lanes);
  });
}

} // namespace ashlar::cpu
