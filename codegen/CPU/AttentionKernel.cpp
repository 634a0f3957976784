// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// softmax(scale q k^T + mask) v with an online softmax: memory does not grow with the number of
// keys.
//
// A work item is a block of kQueryBlock query rows of one sequence and one key-value head; the
// query heads that share the head are rows of the same block, so keys and values are read once for
// all of them. Per item:
//
//   Q [rows][width] = scale queries      evaluated in place: slices of a merged product, rotations
//   per block of kKeyBlock keys that some row may see:
//     S [rows][keys]  = Q K              K in panels [position / 32][width][32]
//     row by row: mask, new maximum m, S = exp(S - m), l = l exp(m_old - m) + sum S,
//                 O *= exp(m_old - m)
//     O [rows][value width] += S V       V in rows padded to 32
//   output = O / l, logsumexp = m + ln l
//
// Keys and values that are no cache are packed into scratch once per sequence and head;
// neighbouring items share them. Key blocks start at multiples of kKeyBlock, so a row's result does
// not depend on the rows beside it.

#include "codegen/CPU/Kernels.h"
#include "codegen/CPU/Tiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cpu {

static constexpr int64_t kQueryBlock = 64;
static constexpr int64_t kKeyBlock = 128;
static constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

namespace {

Dims dimsOf(Value value) { return getDims(cast<RankedTensorType>(value.getType())); }

class AttentionKernel : public KernelShape {
public:
  static FailureOr<std::unique_ptr<KernelShape>> create(func::FuncOp kernel);
  KernelDescription describe() const override;
  void emit(KernelContext &context) const override;

private:
  /// Pointers into scratch, and what one item works on.
  struct Item {
    Value queries, scores, output, largest, sums, keys, values; // f32 arrays
    Value valueStride;                                          // elements between rows of values
    Value batch, head, firstRow, rows, keyCount, offset;
  };

  bool isCached() const { return isa<CacheType>(op.getKeys().getType()); }
  int64_t cacheWidthOf(bool keys) const { return keys ? width : llvm::alignTo(valueWidth, kPanel); }
  void locateScratch(KernelContext &c, Item &item) const;
  void locateKeys(KernelContext &c, Item &item) const;
  void packKeys(KernelContext &c, const Item &item) const;
  void packQueries(KernelContext &c, const Item &item) const;
  void emitKeyBlocks(KernelContext &c, const Item &item) const;
  void emitScores(KernelContext &c, const Item &item, Value firstKey, Value panels) const;
  void emitWeighted(KernelContext &c, const Item &item, Value firstKey, Value keys) const;
  void emitSoftmax(KernelContext &c, const Item &item, Value firstKey, Value panels) const;
  Value visible(KernelContext &c, const Item &item, Value key, Value position, Value end) const;
  void emitOutput(KernelContext &c, const Item &item) const;
  /// The query's position in the sequence's rows, and its head, of a row of the block.
  std::pair<Value, Value> splitRow(KernelContext &c, const Item &item, Value row) const;

  mutable AttentionOp op;                      // an op is a handle; its accessors are not const
  int outputResult = -1, logsumexpResult = -1; // which results of the kernel they are
  Dim batch, queryCount, keyRoom;
  int64_t heads = 0, keyHeads = 0, group = 0, width = 0, valueWidth = 0, paddedWidth = 0;
};

FailureOr<std::unique_ptr<KernelShape>> AttentionKernel::create(func::FuncOp kernel) {
  auto shape = std::make_unique<AttentionKernel>();
  auto ops = kernel.getOps<AttentionOp>();
  shape->op = *ops.begin();
  AttentionOp op = shape->op;
  if (std::next(ops.begin()) != ops.end())
    return op.emitOpError() << "is fused with another attention";
  for (auto [index, value] :
       llvm::enumerate(kernel.getBody().front().getTerminator()->getOperands())) {
    Value computed = stripReshapes(value);
    if (computed == op.getOutput())
      shape->outputResult = index;
    else if (computed == op.getLogsumexp())
      shape->logsumexpResult = index;
    else
      return op.emitOpError() << "is fused with a result that it does not compute";
  }
  if (shape->isCached())
    for (Value cache : {op.getKeys(), op.getValues()})
      if (!isa<BlockArgument>(cache) || getLayout(cast<BlockArgument>(cache)).empty() ||
          !cast<CacheType>(cache.getType()).getElementType().isF32())
        return op.emitOpError() << "needs caches of f32 that are arguments with a layout";
  Dims q = dimsOf(op.getQueries());
  auto keyDims = [](Value value) {
    if (auto cache = dyn_cast<CacheType>(value.getType()))
      return Dims{Dim::number(cache.getSequences()), Dim::number(cache.getPositions()),
                  Dim::number(cache.getHeads()), Dim::number(cache.getWidth())};
    return dimsOf(value);
  };
  shape->batch = q[0];
  shape->queryCount = q[1];
  shape->heads = q[2].size;
  shape->width = q[3].size;
  shape->keyRoom = keyDims(op.getKeys())[1];
  shape->keyHeads = keyDims(op.getKeys())[2].size;
  shape->valueWidth = keyDims(op.getValues())[3].size;
  shape->paddedWidth = llvm::alignTo(shape->valueWidth, kPanel);
  shape->group = shape->heads / shape->keyHeads;
  return std::unique_ptr<KernelShape>(std::move(shape));
}

KernelDescription AttentionKernel::describe() const {
  KernelDescription description;
  description.grid.push_back(asExtent(getElementCount({batch}).terms.front()));
  description.grid.push_back(Extent{keyHeads, {}, 1});
  Monomial rows = getElementCount({queryCount}).terms.front();
  rows.scale *= group;
  description.grid.push_back(asExtent(rows, kQueryBlock));
  Polynomial floats(kQueryBlock * (width + kKeyBlock + paddedWidth + 2));
  if (!isCached()) {
    Polynomial room = getElementCount({keyRoom});
    room += Polynomial(kPanel);
    room *= width + paddedWidth;
    floats += room;
  }
  description.scratchBytes = floatBytes(floats);
  return description;
}

void AttentionKernel::locateScratch(KernelContext &c, Item &item) const {
  Emitter &e = c.e;
  int64_t position = 0;
  auto take = [&](int64_t floats) {
    Value pointer = e.offset(c.scratch, e.f32, e.constant(position));
    position += floats;
    return pointer;
  };
  item.queries = take(kQueryBlock * width);
  item.scores = take(kQueryBlock * kKeyBlock);
  item.output = take(kQueryBlock * paddedWidth);
  item.largest = take(kQueryBlock);
  item.sums = take(kQueryBlock);
  if (isCached())
    return;
  item.keys = take(0);
  Value room = e.mul(e.ceilDiv(c.evaluator.size(keyRoom), kPanel), kPanel * width);
  item.values = e.offset(item.keys, e.f32, room);
}

void AttentionKernel::locateKeys(KernelContext &c, Item &item) const {
  Emitter &e = c.e;
  item.valueStride = e.constant(paddedWidth);
  if (isCached()) {
    int64_t room = llvm::alignTo(keyRoom.size, kPanel);
    Value place = e.add(e.mul(item.batch, keyHeads), item.head);
    auto pointer = [&](Value cache) {
      return c.evaluator.buffer(cast<BlockArgument>(cache).getArgNumber());
    };
    item.keys = e.offset(pointer(op.getKeys()), e.f32, e.mul(place, room * width));
    item.values = e.offset(pointer(op.getValues()), e.f32, e.mul(place, room * paddedWidth));
  }
  auto perSequence = [&](Value operand, Value otherwise) -> Value {
    if (!operand)
      return otherwise;
    Value value = c.evaluator.evaluate(operand, {item.batch});
    return value.getType() == e.i64 ? value : Value(arith::ExtSIOp::create(e.b, e.i64, value));
  };
  item.offset = perSequence(op.getQueryOffsets(), e.constant(0));
  Value room = c.evaluator.size(keyRoom);
  item.keyCount = e.min(perSequence(op.getKeyLengths(), room), room);
}

void AttentionKernel::emit(KernelContext &c) const {
  Emitter &e = c.e;
  Item item;
  locateScratch(c, item);
  Value rows = e.mul(c.evaluator.size(queryCount), group);
  Value blocks = e.ceilDiv(rows, kQueryBlock);
  // Which sequence and head lie packed in scratch is carried from item to item.
  e.loop(c.begin, c.end, 1, e.constant(-1),
         [&](Value index, ValueRange carried) -> SmallVector<Value> {
           Value place = e.div(index, blocks);
           item.batch = e.div(place, e.constant(keyHeads));
           item.head = e.rem(place, e.constant(keyHeads));
           item.firstRow = e.mul(e.rem(index, blocks), kQueryBlock);
           item.rows = e.min(e.constant(kQueryBlock), e.sub(rows, item.firstRow));
           locateKeys(c, item);
           if (!isCached()) {
             Value isNew = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ne, place, carried[0]);
             e.when(isNew, [&] { packKeys(c, item); });
           }
           packQueries(c, item);
           emitKeyBlocks(c, item);
           emitOutput(c, item);
           return {place};
         });
}

void AttentionKernel::packKeys(KernelContext &c, const Item &item) const {
  Emitter &e = c.e;
  bool vectorKeys = c.evaluator.isVectorisable(op.getKeys()),
       vectorValues = c.evaluator.isVectorisable(op.getValues());
  e.loop(e.constant(0), c.evaluator.size(keyRoom), 1, [&](Value key) {
    Value panel = e.add(e.mul(e.div(key, e.constant(kPanel)), width * kPanel),
                        e.rem(key, e.constant(kPanel)));
    e.columns(e.constant(width), vectorKeys, [&](Value column, Lanes lanes) {
      Value elements =
          c.evaluator.evaluate(op.getKeys(), {item.batch, key, item.head, column}, lanes);
      Value at = e.add(panel, e.mul(column, kPanel));
      if (lanes.isScalar())
        e.store(e.f32, elements, item.keys, at);
      else
        e.scatter(elements, item.keys, at, kPanel, lanes);
    });
    Value row = e.mul(key, paddedWidth);
    e.columns(e.constant(valueWidth), vectorValues, [&](Value column, Lanes lanes) {
      Value elements =
          c.evaluator.evaluate(op.getValues(), {item.batch, key, item.head, column}, lanes);
      e.store(e.f32, elements, item.values, e.add(row, column), lanes);
    });
    e.loop(e.constant(valueWidth), e.constant(paddedWidth), 1, [&](Value column) {
      e.store(e.f32, e.f32Constant(0.0), item.values, e.add(row, column));
    });
  });
}

std::pair<Value, Value> AttentionKernel::splitRow(KernelContext &c, const Item &item,
                                                  Value row) const {
  Value global = c.e.add(item.firstRow, row);
  Value position = c.e.div(global, c.e.constant(group));
  Value head = c.e.add(c.e.mul(item.head, group), c.e.rem(global, c.e.constant(group)));
  return {position, head};
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
    e.store(e.f32, e.f32Constant(kMinusInfinity), item.largest, row);
    e.store(e.f32, e.f32Constant(0.0), item.sums, row);
  });
  e.columns(e.mul(item.rows, paddedWidth), true, [&](Value at, Lanes lanes) {
    e.store(e.f32, e.f32Constant(0.0, lanes.width), item.output, at, lanes);
  });
}

void AttentionKernel::emitKeyBlocks(KernelContext &c, const Item &item) const {
  Emitter &e = c.e;
  // Only blocks that some row sees: up to the last row's position, from the first row's window on.
  Value from = e.constant(0), to = item.keyCount;
  if (op.getCausal()) {
    Value lastRow = splitRow(c, item, e.sub(item.rows, e.constant(1))).first;
    to = e.min(to, e.add(e.add(item.offset, lastRow), 1));
  }
  if (op.getWindow()) {
    Value firstRow = splitRow(c, item, e.constant(0)).first;
    Value least = e.add(e.add(item.offset, firstRow), 1 - static_cast<int64_t>(*op.getWindow()));
    from = e.mul(e.div(e.max(least, e.constant(0)), e.constant(kKeyBlock)), kKeyBlock);
  }
  e.loop(from, to, kKeyBlock, [&](Value firstKey) {
    Value keys = e.min(e.constant(kKeyBlock), e.sub(to, firstKey));
    Value panels = e.ceilDiv(keys, kPanel);
    e.loop(e.constant(0), item.rows, 1, [&](Value row) {
      Value start = e.mul(row, kKeyBlock);
      e.loop(e.constant(0), e.mul(panels, kPanel), e.model.lanes, [&](Value at) {
        e.store(e.f32, e.f32Constant(0.0, e.model.lanes), item.scores, e.add(start, at),
                {e.model.lanes, nullptr});
      });
    });
    emitScores(c, item, firstKey, panels);
    emitSoftmax(c, item, firstKey, panels);
    emitWeighted(c, item, firstKey, keys);
  });
}

/// S += Q K for a block's panels of keys, two at a time.
void AttentionKernel::emitScores(KernelContext &c, const Item &item, Value firstKey,
                                 Value panels) const {
  Emitter &e = c.e;
  Value keys = e.offset(item.keys, e.f32, e.mul(firstKey, width));
  TileProduct tiles;
  tiles.type = WeightType::F32;
  tiles.a = item.queries;
  tiles.lda = tiles.depth = e.constant(width);
  tiles.ldb = e.constant(kPanel);
  tiles.runStride = e.constant(width * kPanel);
  tiles.ldc = e.constant(kKeyBlock);
  tiles.rows = item.rows;
  auto emitPanels = [&](Value panel, int64_t count) {
    tiles.columns = count * kPanel;
    tiles.b = e.offset(keys, e.f32, e.mul(panel, width * kPanel));
    tiles.c = e.offset(item.scores, e.f32, e.mul(panel, kPanel));
    emitTiles(e, c.module, tiles);
  };
  Value last = e.sub(panels, e.constant(1));
  e.loop(e.constant(0), last, 2, [&](Value panel) { emitPanels(panel, 2); });
  e.when(e.equal(e.rem(panels, e.constant(2)), e.constant(1)), [&] { emitPanels(last, 1); });
}

/// O += S V.
void AttentionKernel::emitWeighted(KernelContext &c, const Item &item, Value firstKey,
                                   Value keys) const {
  Emitter &e = c.e;
  Value rows = e.offset(item.values, e.f32, e.mul(firstKey, item.valueStride));
  for (int64_t column = 0, columns; column < paddedWidth; column += columns) {
    columns = std::min(paddedWidth - column, 2 * kPanel);
    TileProduct tiles;
    tiles.type = WeightType::F32;
    tiles.columns = columns;
    tiles.a = item.scores;
    tiles.lda = e.constant(kKeyBlock);
    tiles.b = e.offset(rows, e.f32, e.constant(column));
    tiles.ldb = item.valueStride;
    tiles.runStride = e.constant(kPanel);
    tiles.c = e.offset(item.output, e.f32, e.constant(column));
    tiles.ldc = e.constant(paddedWidth);
    tiles.depth = keys;
    tiles.rows = item.rows;
    emitTiles(e, c.module, tiles);
  }
}

/// Which of the keys `key`, `key` + 1, ... a query at `position` sees; `end` is one past the last
/// valid key.
Value AttentionKernel::visible(KernelContext &c, const Item &item, Value key, Value position,
                               Value end) const {
  Emitter &e = c.e;
  int64_t lanes = e.model.lanes;
  Value keys = e.sequence(key, lanes);
  auto compare = [&](arith::CmpIPredicate predicate, Value bound) {
    return arith::CmpIOp::create(e.b, predicate, keys, e.splat(bound, lanes));
  };
  Value mask = compare(arith::CmpIPredicate::slt, end);
  if (op.getCausal())
    mask = arith::AndIOp::create(e.b, mask, compare(arith::CmpIPredicate::sle, position));
  if (op.getWindow())
    mask = arith::AndIOp::create(
        e.b, mask,
        compare(arith::CmpIPredicate::sgt, e.sub(position, e.constant(*op.getWindow()))));
  if (op.getKeyMask()) {
    Value flags = c.evaluator.evaluate(op.getKeyMask(), {item.batch, key},
                                       {lanes, compare(arith::CmpIPredicate::slt, end)});
    Value zero = arith::ConstantOp::create(e.b, e.b.getZeroAttr(flags.getType()));
    mask = arith::AndIOp::create(e.b, mask,
                                 arith::CmpIOp::create(e.b, arith::CmpIPredicate::ne, flags, zero));
  }
  return mask;
}

void AttentionKernel::emitSoftmax(KernelContext &c, const Item &item, Value firstKey,
                                  Value panels) const {
  Emitter &e = c.e;
  int64_t lanes = e.model.lanes;
  Lanes whole{lanes, nullptr};
  Value columns = e.mul(panels, kPanel);
  e.loop(e.constant(0), item.rows, 1, [&](Value row) {
    Value position = e.add(item.offset, splitRow(c, item, row).first);
    Value scores = e.offset(item.scores, e.f32, e.mul(row, kKeyBlock));
    Value hidden = e.f32Constant(kMinusInfinity, lanes);
    Value blockMax = e.loop(e.constant(0), columns, lanes, hidden,
                            [&](Value at, ValueRange carried) -> SmallVector<Value> {
                              Value mask =
                                  visible(c, item, e.add(firstKey, at), position, item.keyCount);
                              Value x = e.select(mask, e.load(e.f32, scores, at, whole), hidden);
                              e.store(e.f32, x, scores, at, whole);
                              return {arith::MaximumFOp::create(e.b, carried[0], x)};
                            })
                         .front();
    Value before = e.load(e.f32, item.largest, row);
    Value after = arith::MaximumFOp::create(e.b, before, e.horizontalMax(blockMax));
    // A row that has seen no key yet has no maximum; any number will do to subtract.
    Value none =
        arith::CmpFOp::create(e.b, arith::CmpFPredicate::OEQ, after, e.f32Constant(kMinusInfinity));
    Value shift = e.select(none, e.f32Constant(0.0), after);
    Value correction = e.exp(arith::SubFOp::create(e.b, before, shift));
    Value shifts = e.splat(shift, lanes);
    Value sum = e.loop(e.constant(0), columns, lanes, e.f32Constant(0.0, lanes),
                       [&](Value at, ValueRange carried) -> SmallVector<Value> {
                         Value power = e.exp(
                             arith::SubFOp::create(e.b, e.load(e.f32, scores, at, whole), shifts));
                         e.store(e.f32, power, scores, at, whole);
                         return {arith::AddFOp::create(e.b, carried[0], power)};
                       })
                    .front();
    Value total = e.fma(e.load(e.f32, item.sums, row), correction, e.horizontalSum(sum));
    e.store(e.f32, total, item.sums, row);
    e.store(e.f32, after, item.largest, row);
    Value factor = e.splat(correction, lanes);
    e.loop(e.constant(0), e.constant(paddedWidth), lanes, [&](Value column) {
      Value at = e.add(e.mul(row, paddedWidth), column);
      e.store(e.f32, arith::MulFOp::create(e.b, e.load(e.f32, item.output, at, whole), factor),
              item.output, at, whole);
    });
  });
}

void AttentionKernel::emitOutput(KernelContext &c, const Item &item) const {
  Emitter &e = c.e;
  Value queries = c.evaluator.size(queryCount);
  e.loop(e.constant(0), item.rows, 1, [&](Value row) {
    auto [position, head] = splitRow(c, item, row);
    Value token = e.add(e.mul(item.batch, queries), position);
    Value place = e.add(e.mul(token, heads), head);
    Value sum = e.load(e.f32, item.sums, row);
    Value empty = arith::CmpFOp::create(e.b, arith::CmpFPredicate::OEQ, sum, e.f32Constant(0.0));
    Value inverse =
        e.select(empty, e.f32Constant(0.0), arith::DivFOp::create(e.b, e.f32Constant(1.0), sum));
    if (outputResult >= 0)
      e.columns(e.constant(valueWidth), true, [&](Value column, Lanes lanes) {
        Value x = e.load(e.f32, item.output, e.add(e.mul(row, paddedWidth), column), lanes);
        Value y = arith::MulFOp::create(e.b, x, e.splat(inverse, lanes.width));
        e.store(cast<RankedTensorType>(op.getOutput().getType()).getElementType(), y,
                c.evaluator.resultBuffer(outputResult), e.add(e.mul(place, valueWidth), column),
                lanes);
      });
    if (logsumexpResult >= 0) {
      Value log = arith::AddFOp::create(e.b, e.load(e.f32, item.largest, row),
                                        math::LogOp::create(e.b, sum));
      e.store(e.f32, e.select(empty, e.f32Constant(kMinusInfinity), log),
              c.evaluator.resultBuffer(logsumexpResult), place);
    }
  });
}

} // namespace

FailureOr<std::unique_ptr<KernelShape>> createAttentionKernel(func::FuncOp kernel) {
  return AttentionKernel::create(kernel);
}

} // namespace ashlar::cpu
