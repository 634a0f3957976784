// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/AttentionKernel.h"

#include "codegen/CPU/Tiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cpu {

static constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

static WeightType getTileType(Type stored) {
  return stored.isBF16()  ? WeightType::BF16Rows
         : stored.isF16() ? WeightType::F16Rows
                          : WeightType::F32;
}

static Dims dimsOf(Value value) { return getDims(cast<RankedTensorType>(value.getType())); }

FailureOr<std::unique_ptr<KernelShape>> AttentionKernel::create(func::FuncOp kernel) {
  auto shape = std::make_unique<AttentionKernel>();
  auto ops = kernel.getOps<AttentionOp>();
  shape->op = *ops.begin();
  AttentionOp op = shape->op;
  if (op.getParts())
    return op.emitOpError()
           << "attends to parts of its keys, which is for devices; a CPU's threads "
              "take whole rows";
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
      if (!isa<BlockArgument>(cache) || getLayout(cast<BlockArgument>(cache)).empty())
        return op.emitOpError() << "needs caches that are arguments with a layout";
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

KernelDescription AttentionKernel::describe(ArrayRef<CpuModel>) const {
  KernelDescription description;
  description.grid.push_back(asExtent(getElementCount({batch}).terms.front()));
  description.grid.push_back(Extent{keyHeads, {}, 1});
  Monomial rows = getElementCount({queryCount}).terms.front();
  rows.scale *= group;
  description.grid.push_back(asExtent(rows, kQueryBlock));
  Polynomial floats(kQueryBlock * (width + kKeyBlock + paddedWidth + 2) + kKeyBlock);
  if (!isCached()) {
    Polynomial room = getElementCount({keyRoom});
    room += Polynomial(kPanel);
    room *= width + paddedWidth;
    floats += room;
  }
  description.scratchBytes = floatBytes(floats);
  return description;
}

Type AttentionKernel::getStored(KernelContext &c, Value operand) const {
  auto cache = dyn_cast<CacheType>(operand.getType());
  return cache ? cache.getElementType() : c.e.f32;
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
  item.flags = take(kKeyBlock);
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
    item.keys =
        e.offset(pointer(op.getKeys()), getStored(c, op.getKeys()), e.mul(place, room * width));
    item.values = e.offset(pointer(op.getValues()), getStored(c, op.getValues()),
                           e.mul(place, room * paddedWidth));
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
  e.loop(c.begin, c.end, 1, [&](Value index) {
    Value place = e.div(index, blocks);
    item.batch = e.div(place, e.constant(keyHeads));
    item.head = e.rem(place, e.constant(keyHeads));
    item.firstRow = e.mul(e.rem(index, blocks), kQueryBlock);
    item.rows = e.min(e.constant(kQueryBlock), e.sub(rows, item.firstRow));
    locateKeys(c, item);
    if (!isCached())
      c.oncePer(place, [&] { packKeys(c, item); });
    packQueries(c, item);
    emitKeyBlocks(c, item);
    emitOutput(c, item);
  });
}

std::pair<Value, Value> AttentionKernel::splitRow(KernelContext &c, const Item &item,
                                                  Value row) const {
  Value global = c.e.add(item.firstRow, row);
  Value position = c.e.div(global, c.e.constant(group));
  Value head = c.e.add(c.e.mul(item.head, group), c.e.rem(global, c.e.constant(group)));
  return {position, head};
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
    Block block{firstKey, e.mul(panels, kPanel), e.equal(firstKey, from)};
    emitScores(c, item, firstKey, panels);
    emitSoftmax(c, item, block);
    emitWeighted(c, item, firstKey, keys);
  });
}

/// S = Q K for a block's panels of keys, two at a time.
void AttentionKernel::emitScores(KernelContext &c, const Item &item, Value firstKey,
                                 Value panels) const {
  Emitter &e = c.e;
  Type stored = getStored(c, op.getKeys());
  Value keys = e.offset(item.keys, stored, e.mul(firstKey, width));
  TileProduct tiles;
  tiles.type = getTileType(stored);
  tiles.a = item.queries;
  tiles.lda = tiles.depth = e.constant(width);
  tiles.ldb = e.constant(kPanel);
  tiles.runStride = e.constant(width * kPanel);
  tiles.ldc = e.constant(kKeyBlock);
  tiles.rows = item.rows;
  tiles.accumulate = e.boolean(false);
  auto emitPanels = [&](Value panel, int64_t count) {
    tiles.columns = count * kPanel;
    tiles.b = e.offset(keys, stored, e.mul(panel, width * kPanel));
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
  Type stored = getStored(c, op.getValues());
  Value rows = e.offset(item.values, stored, e.mul(firstKey, item.valueStride));
  for (int64_t column = 0, columns; column < paddedWidth; column += columns) {
    columns = std::min(paddedWidth - column, 2 * kPanel);
    TileProduct tiles;
    tiles.type = getTileType(stored);
    tiles.columns = columns;
    tiles.a = item.scores;
    tiles.lda = e.constant(kKeyBlock);
    tiles.b = e.offset(rows, stored, e.constant(column));
    tiles.ldb = item.valueStride;
    tiles.runStride = e.constant(kPanel);
    tiles.c = e.offset(item.output, e.f32, e.constant(column));
    tiles.ldc = e.constant(paddedWidth);
    tiles.depth = keys;
    tiles.accumulate = e.boolean(true);
    tiles.rows = item.rows;
    emitTiles(e, c.module, tiles);
  }
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

FailureOr<std::unique_ptr<KernelShape>> createAttentionKernel(func::FuncOp kernel) {
  return AttentionKernel::create(kernel);
}

} // namespace ashlar::cpu
