// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An item's sums, from its rows of a and its panels of weights: on register tiles or AMX's, part of
// the depth by part, or run by run where the rows are few and memory delivers most that way.

#include "codegen/CPU/MatrixTiles.h"
#include "codegen/CPU/ProductKernel.h"
#include "codegen/CPU/RoundedLeft.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace ashlar::cpu {

/// With AMX a panel's part of the depth is 32 KiB.
static constexpr int64_t kMatrixDepthBlock = 512;
/// Rows that are one group of Tiles on every machine with AVX-512.
static constexpr int64_t kFewRows = 6;

/// Rounds the item's rows of a, once for all items of a worker that share them.
void ProductKernel::roundLeft(KernelContext &c, const Item &item) const {
  Emitter &e = c.e;
  c.oncePer(e.div(item.firstRow, e.constant(kRowBlock)), [&] {
    RoundedLeft(e.model, depth)
        .emit(e, locateRounded(c), locateLeft(c, item), c.evaluator.product(rowStride), item.rows);
  });
}

Value ProductKernel::locateLeft(KernelContext &c, const Item &item) const {
  Emitter &e = c.e;
  return e.offset(c.evaluator.buffer(left.buffer.getArgNumber()), e.f32,
                  e.add(e.mul(item.firstRow, c.evaluator.product(rowStride)), left.offset));
}

ProductKernel::Panels ProductKernel::locatePanels(KernelContext &c, const Item &item,
                                                  size_t index) const {
  Emitter &e = c.e;
  Panels panels;
  panels.element = isBf16 ? e.b.getBF16Type() : e.f32;
  panels.step = isBf16 ? 16 : kPanel;
  panels.run = panels.step * (isBf16 ? llvm::alignTo(depth, 2) : depth);
  panels.blockElements = itemColumns / panels.step * panels.run;
  auto weight = cast<BlockArgument>(products[index].getB());
  panels.begin = e.offset(c.evaluator.buffer(weight.getArgNumber()), panels.element,
                          e.mul(item.block, panels.blockElements));
  return panels;
}

void ProductKernel::emitProduct(KernelContext &c, const Item &item, size_t index,
                                Finish finish) const {
  Emitter &e = c.e;
  if (isBf16 && e.model.bf16 == Bf16Product::Tile)
    return emitMatrixProduct(c, item, index, finish);
  bool isDot = isBf16 && e.model.bf16 == Bf16Product::Dot;
  RoundedLeft rounded(e.model, depth);
  Panels panels = locatePanels(c, item, index);
  Value rows = isDot ? locateRounded(c) : locateLeft(c, item);
  WeightType type = isDot ? WeightType::BF16Dot : isBf16 ? WeightType::BF16 : WeightType::F32;
  // `next` is the element of the panels that will be read after this part of the depth; without it
  // they are streamed.
  auto emitDepth = [&](Value from, int64_t length, Value next, Finish finish) {
    TileProduct tiles;
    tiles.type = type;
    tiles.a = e.offset(rows, isDot ? panels.element : e.f32, from);
    tiles.lda = isDot ? e.constant(rounded.getRowStride()) : c.evaluator.product(rowStride);
    tiles.ldb = e.constant(panels.step);
    tiles.runStride = e.constant(panels.run);
    tiles.ldc = e.constant(itemColumns);
    tiles.depth = e.constant(isDot ? llvm::alignTo(length, 2) : length);
    tiles.rows = item.rows;
    tiles.accumulate = e.isNot(e.equal(from, e.constant(0)));
    tiles.isStreamed = !next;
    emitColumns(e, item, !next, [&](int64_t panel, int64_t width, bool isLast) {
      tiles.b = e.offset(panels.begin, panels.element,
                         e.add(e.mul(from, panels.step), panel * panels.panelElements()));
      tiles.c = e.offset(locateSums(c, index), e.f32, e.constant(panel * kPanel));
      if (next)
        tiles.next =
            e.offset(panels.begin, panels.element, e.add(next, panel * panels.panelElements()));
      tiles.columns = width;
      emitTiles(e, c.module, tiles, isLast ? finish : nullptr);
    });
  };
  const int64_t block = e.model.depthBlock;
  const int64_t last = getLastDepth(block);
  auto emitBlocks = [&] {
    e.loop(e.constant(0), e.constant(last), block, [&](Value from) {
      emitDepth(from, block, e.mul(e.add(from, block), panels.step), nullptr);
    });
    emitDepth(e.constant(last), depth - last, e.constant(panels.blockElements), finish);
  };
  if (!e.model.readsOneStream)
    return emitBlocks();
  Value isStreamed = e.less(item.rows, e.constant(getMostStreamedRows(e.model, type) + 1));
  e.when(isStreamed, [&] { emitDepth(e.constant(0), depth, nullptr, finish); });
  e.when(e.isNot(isStreamed), emitBlocks);
}

/// The same on AMX's tiles.
void ProductKernel::emitMatrixProduct(KernelContext &c, const Item &item, size_t index,
                                      Finish finish) const {
  Emitter &e = c.e;
  RoundedLeft rounded(e.model, depth);
  Panels panels = locatePanels(c, item, index);
  auto emitDepth = [&](Value from, int64_t length, bool accumulate, Finish finish) {
    MatrixProduct product;
    product.depth = length;
    product.accumulate = accumulate;
    product.a = e.offset(locateRounded(c), panels.element, rounded.getDepthOffset(e, from));
    product.tileRowStride = e.constant(rounded.getRowStride());
    product.runStride = e.constant(panels.run);
    product.ldc = e.constant(itemColumns);
    product.rows = item.rows;
    emitColumns(e, item, false, [&](int64_t panel, int64_t width, bool isLast) {
      product.b = e.offset(panels.begin, panels.element,
                           e.add(e.mul(from, panels.step), panel * panels.panelElements()));
      product.c = e.offset(locateSums(c, index), e.f32, e.constant(panel * kPanel));
      product.columns = width;
      emitMatrixTiles(e, c.module, product, isLast ? finish : nullptr);
    });
  };
  int64_t last = getLastDepth(kMatrixDepthBlock);
  if (last == 0)
    return emitDepth(e.constant(0), depth, false, finish);
  emitDepth(e.constant(0), kMatrixDepthBlock, false, nullptr);
  e.loop(e.constant(kMatrixDepthBlock), e.constant(last), kMatrixDepthBlock,
         [&](Value from) { emitDepth(from, kMatrixDepthBlock, true, nullptr); });
  emitDepth(e.constant(last), depth - last, true, finish);
}

void ProductKernel::emitColumns(Emitter &e, const Item &item, bool isStreamed,
                                llvm::function_ref<void(int64_t, int64_t, bool)> emitStrip) const {
  int64_t itemPanels = itemColumns / kPanel;
  int64_t whole = columns / itemColumns; // items with all of their columns
  int64_t rest = llvm::divideCeil(columns - whole * itemColumns, kPanel);
  auto emitStrips = [&](int64_t panels) {
    for (int64_t panel = 0; panel < panels; panel += 2)
      emitStrip(panel, std::min<int64_t>(panels - panel, 2) * kPanel, panel + 2 >= panels);
  };
  // Several groups of rows share a strip's part of the depth in the first-level cache.
  auto emitWhole = [&] {
    if (itemPanels == 2)
      return emitStrips(2);
    if (isStreamed)
      return emitStrip(0, itemColumns, true);
    Value isOneGroup = e.less(item.rows, e.constant(kFewRows + 1));
    e.when(isOneGroup, [&] { emitStrip(0, itemColumns, true); });
    e.when(e.isNot(isOneGroup), [&] { emitStrips(itemPanels); });
  };
  if (rest == 0 || rest == itemPanels) // panels are whole in memory
    return emitWhole();
  if (whole == 0)
    return emitStrips(rest);
  Value isWhole = e.less(item.block, e.constant(whole));
  e.when(isWhole, emitWhole);
  e.when(e.isNot(isWhole), [&] { emitStrips(rest); });
}

} // namespace ashlar::cpu
