// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/RoundedLeft.h"

#include "codegen/CPU/Bf16Unit.h"

using namespace mlir;

namespace ashlar::cpu {

RoundedLeft::RoundedLeft(const CpuModel &model, int64_t depth)
    : isTiled(model.bf16 == Bf16Product::Tile), depth(depth) {
  int64_t chunks = llvm::divideCeil(depth, kTileDepth);
  // Rows an odd number of cache lines apart do not meet in one set of the cache.
  if (!isTiled && chunks % 2 == 0)
    ++chunks;
  rowElements = chunks * kTileDepth;
}

int64_t RoundedLeft::getChunkStride() const {
  return isTiled ? kTileRows * kTileDepth : kTileDepth;
}

Value RoundedLeft::getDepthOffset(Emitter &e, Value from) const {
  return e.mul(e.div(from, e.constant(kTileDepth)), getChunkStride());
}

Value RoundedLeft::getRow(Emitter &e, Value row) const {
  if (!isTiled)
    return e.mul(row, rowElements);
  Value tile = e.div(row, e.constant(kTileRows)), inTile = e.rem(row, e.constant(kTileRows));
  return e.add(e.mul(tile, getRowStride()), e.mul(inTile, kTileDepth));
}

void RoundedLeft::emit(Emitter &e, Value block, Value rows, Value stride, Value count) const {
  Type bf16 = e.b.getBF16Type();
  int64_t lanes = e.model.lanes;
  // 32 elements of a row, `known` of which there are.
  auto emitChunk = [&](Value source, Value target, Value chunk, int64_t known) {
    Value from = e.mul(chunk, kTileDepth), to = e.mul(chunk, getChunkStride());
    for (int64_t i = 0; i < kTileDepth; i += lanes) {
      Lanes part{lanes, nullptr};
      if (known < i + lanes)
        part.mask = e.maskBelow(e.constant(std::max<int64_t>(known - i, 0)), lanes);
      Value elements = e.load(e.f32, source, e.add(from, i), part);
      e.store(bf16, elements, target, e.add(to, i), {lanes, nullptr});
    }
  };
  int64_t whole = depth / kTileDepth, rest = depth % kTileDepth;
  e.loop(e.constant(0), count, 1, [&](Value row) {
    Value source = e.offset(rows, e.f32, e.mul(row, stride));
    Value target = e.offset(block, bf16, getRow(e, row));
    e.loop(e.constant(0), e.constant(whole), 1,
           [&](Value chunk) { emitChunk(source, target, chunk, kTileDepth); });
    if (rest > 0)
      emitChunk(source, target, e.constant(whole), rest);
  });
  if (!isTiled)
    return;
  e.loop(count, e.mul(e.ceilDiv(count, kTileRows), kTileRows), 1, [&](Value row) {
    Value target = e.offset(block, bf16, getRow(e, row));
    e.loop(e.constant(0), e.constant(llvm::divideCeil(depth, kTileDepth)), 1, [&](Value chunk) {
      for (int64_t i = 0; i < kTileDepth; i += lanes)
        e.store(bf16, e.f32Constant(0.0, lanes), target, e.add(e.mul(chunk, getChunkStride()), i),
                {lanes, nullptr});
    });
  });
}

} // namespace ashlar::cpu
