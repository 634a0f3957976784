// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y = epilogue(a w1, a w2, ...), a [rows, depth] read in place, w packed in panels of 32 columns.
//
// A work item is a block of kRowBlock rows times a few panels. Its sums live in scratch
// ([rows][columns] per product); depth is cut in blocks so that the panels' part
// stays in the first-level cache while the rows pass over it. With the last block the epilogue
// follows each group of rows, while its sums are in cache, and asks for the rows that the next
// group writes. Neighbouring items share the rows of a, which the machine's bf16 instructions take
// rounded.

#include "codegen/CPU/Kernels.h"
#include "codegen/CPU/MatrixTiles.h"
#include "codegen/CPU/RoundedLeft.h"
#include "codegen/CPU/Tiles.h"
#include "codegen/Common/InPlace.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cpu {

static constexpr int64_t kRowBlock = 192;
static constexpr int64_t kDepthBlock = 128;
/// Two panels' part is 32 KiB, as of f32.
static constexpr int64_t kDotDepthBlock = 2 * kDepthBlock;
/// With AMX a panel's part of the depth is 32 KiB.
static constexpr int64_t kMatrixDepthBlock = 512;
/// Work items that keep a dozen cores busy.
static constexpr int64_t kManyItems = 12;
/// Rows that are one group of Tiles on every machine with AVX-512.
static constexpr int64_t kFewRows = 6;

namespace {

class ProductKernel : public KernelShape {
public:
  static FailureOr<std::unique_ptr<KernelShape>> create(func::FuncOp kernel);

  KernelDescription describe(ArrayRef<CpuModel> models) const override {
    KernelDescription description;
    description.grid.push_back(asExtent(rows, kRowBlock));
    description.grid.push_back(Extent{columns, {}, itemColumns});
    int64_t rounded = 0;
    for (const CpuModel &model : models)
      if (isBf16 && model.bf16 != Bf16Product::Widen)
        rounded = std::max(rounded, RoundedLeft(model, depth).getBytes(kRowBlock));
    int64_t sums = static_cast<int64_t>(products.size()) * kRowBlock * itemColumns * 4;
    description.scratchBytes = Polynomial(sums + rounded);
    return description;
  }
  void emit(KernelContext &context) const override;

private:
  /// The block of columns and of rows that a work item computes.
  struct Item {
    Value block, firstRow, rows;
  };
  /// The item's columns of one product's weights.
  struct Panels {
    Value begin;
    Type element;
    int64_t step, run; // elements: of a step of the depth, of all of it, in columns side by side
    int64_t blockElements; // of all columns
    int64_t panelElements() const { return kPanel / step * run; }
  };
  using Finish = llvm::function_ref<void(Value first, Value count)>;

  void roundLeft(KernelContext &c, const Item &item) const;
  Value locateLeft(KernelContext &c, const Item &item) const;
  Value locateSums(KernelContext &c, size_t index) const;
  Value locateRounded(KernelContext &c) const;
  Panels locatePanels(KernelContext &c, const Item &item, size_t index) const;
  int64_t chooseItemColumns() const;
  int64_t getLastDepth(int64_t block) const { return (depth - 1) / block * block; }
  void emitProduct(KernelContext &c, const Item &item, size_t index, Finish finish) const;
  void emitMatrixProduct(KernelContext &c, const Item &item, size_t index, Finish finish) const;
  /// Calls emitStrip(first panel, columns, whether it is the last) for the item's panels.
  void emitColumns(Emitter &e, const Item &item,
                   llvm::function_ref<void(int64_t, int64_t, bool)> emitStrip) const;
  void emitEpilogue(KernelContext &c, const Item &item, Value first, Value count) const;
  void prefetchResults(KernelContext &c, const Item &item, Value first, Value count) const;

  mutable func::FuncOp kernel; // an op is a handle; its accessors are not const
  mutable SmallVector<MatmulOp> products;
  View left;
  Monomial rowStride; // of the left operand, in elements
  Monomial rows;
  int64_t columns = 0, depth = 0;
  int64_t itemColumns = 2 * kPanel; // of a work item
  bool isBf16 = false;              // the weights
};

/// The distance of consecutive rows, where the leading dimensions follow each other without gaps.
std::optional<Monomial> getRowStride(const View &view) {
  size_t last = view.dims.size() - 1;
  std::optional<Monomial> stride;
  Monomial expected;
  for (size_t i = last; i-- > 0;) {
    if (view.dims[i].isOne())
      continue;
    const Monomial &found = view.strides[i];
    if (!stride)
      stride = expected = found;
    if (found.scale != expected.scale || found.names != expected.names)
      return std::nullopt;
    if (view.dims[i].isNumber()) {
      expected.scale *= view.dims[i].size;
    } else {
      expected.names.push_back(view.dims[i].name);
      llvm::sort(expected.names,
                 [](StringAttr a, StringAttr b) { return a.getValue() < b.getValue(); });
    }
  }
  return stride.value_or(Monomial());
}

FailureOr<std::unique_ptr<KernelShape>> ProductKernel::create(func::FuncOp kernel) {
  auto shape = std::make_unique<ProductKernel>();
  shape->kernel = kernel;
  for (auto product : kernel.getOps<MatmulOp>()) {
    auto weight = dyn_cast<BlockArgument>(product.getB());
    if (!weight || getLayout(weight).empty())
      return product.emitOpError() << "is fused with a product of packed weights, but its own "
                                      "right operand is not packed";
    shape->products.push_back(product);
  }
  MatmulOp first = shape->products.front();
  for (MatmulOp product : shape->products)
    if (product.getA() != first.getA() || product.getType() != first.getType() ||
        getLayout(cast<BlockArgument>(product.getB())) !=
            getLayout(cast<BlockArgument>(first.getB())))
      return product.emitOpError() << "differs in its left operand, its type or its layout from "
                                      "the product that it is fused with";
  auto type = cast<RankedTensorType>(first.getA().getType());
  auto view = getView(first.getA());
  auto stride = view ? getRowStride(*view) : std::nullopt;
  if (!stride || !view->isContiguousInLast() || !type.getElementType().isF32())
    return first.emitOpError() << "has a left operand that the kernel cannot read as rows of f32: "
                               << type;
  shape->left = *view;
  shape->isBf16 = getLayout(cast<BlockArgument>(first.getB())) == "panel_bf16";
  shape->rowStride = *stride;
  Dims result = getDims(first.getType());
  shape->columns = result.back().size;
  shape->depth = getDims(type).back().size;
  if (!result.back().isNumber() || !getDims(type).back().isNumber())
    return first.emitOpError() << "has packed weights whose dimensions are not numbers";
  result.pop_back();
  shape->rows = getElementCount(result).terms.front();
  shape->itemColumns = shape->chooseItemColumns();
  for (Value value : kernel.getBody().front().getTerminator()->getOperands())
    if (getDims(cast<RankedTensorType>(stripReshapes(value).getType())) != getDims(first.getType()))
      return first.emitOpError() << "is fused with a result of another shape: " << value.getType();
  SmallVector<Value> sums;
  for (MatmulOp product : shape->products)
    sums.push_back(product.getC());
  if (failed(verifyReadInPlace(sums, /*mayReshapeResults=*/true)))
    return failure();
  return std::unique_ptr<KernelShape>(std::move(shape));
}

/// Two panels. Where there is one row per sequence, as in a decoding step, the weights come from
/// memory, which delivers more when more streams are read at a time (two runs of a panel 24 GB/s,
/// four 26, eight 28, on the two cores of codegen/CPU/README.md): then eight runs, as long as there
/// are items for a dozen cores, else four panels.
int64_t ProductKernel::chooseItemColumns() const {
  if (rows.scale != 1 || rows.names.size() > 1 || columns <= 2 * kPanel)
    return 2 * kPanel;
  int64_t widest = 8 * getRunColumns(isBf16 ? WeightType::BF16 : WeightType::F32);
  return columns / widest >= kManyItems ? widest : 4 * kPanel;
}

void ProductKernel::emit(KernelContext &c) const {
  Emitter &e = c.e;
  int64_t blocks = llvm::divideCeil(columns, itemColumns);
  Value total = c.evaluator.product(rows);
  e.loop(c.begin, c.end, 1, [&](Value index) {
    Item item;
    item.block = e.rem(index, e.constant(blocks));
    item.firstRow = e.mul(e.div(index, e.constant(blocks)), kRowBlock);
    item.rows = e.min(e.constant(kRowBlock), e.sub(total, item.firstRow));
    if (isBf16 && e.model.bf16 != Bf16Product::Widen)
      roundLeft(c, item);
    for (size_t product = 0; product + 1 < products.size(); ++product)
      emitProduct(c, item, product, nullptr);
    emitProduct(c, item, products.size() - 1, [&](Value first, Value count) {
      prefetchResults(c, item, e.add(first, count), count);
      emitEpilogue(c, item, first, count);
    });
  });
}

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

Value ProductKernel::locateSums(KernelContext &c, size_t index) const {
  return c.e.offset(c.scratch, c.e.f32, c.e.constant(index * kRowBlock * itemColumns));
}

Value ProductKernel::locateRounded(KernelContext &c) const {
  return locateSums(c, products.size());
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
  // `next` is the element of the panels that will be read after this part of the depth.
  auto emitDepth = [&](Value from, int64_t length, Value next, Finish finish) {
    TileProduct tiles;
    tiles.type = isDot ? WeightType::BF16Dot : isBf16 ? WeightType::BF16 : WeightType::F32;
    tiles.a = e.offset(rows, isDot ? panels.element : e.f32, from);
    tiles.lda = isDot ? e.constant(rounded.getRowStride()) : c.evaluator.product(rowStride);
    tiles.ldb = e.constant(panels.step);
    tiles.runStride = e.constant(panels.run);
    tiles.ldc = e.constant(itemColumns);
    tiles.depth = e.constant(isDot ? llvm::alignTo(length, 2) : length);
    tiles.rows = item.rows;
    tiles.accumulate = e.isNot(e.equal(from, e.constant(0)));
    emitColumns(e, item, [&](int64_t panel, int64_t width, bool isLast) {
      tiles.b = e.offset(panels.begin, panels.element,
                         e.add(e.mul(from, panels.step), panel * panels.panelElements()));
      tiles.c = e.offset(locateSums(c, index), e.f32, e.constant(panel * kPanel));
      tiles.next =
          e.offset(panels.begin, panels.element, e.add(next, panel * panels.panelElements()));
      tiles.columns = width;
      emitTiles(e, c.module, tiles, isLast ? finish : nullptr);
    });
  };
  const int64_t block = isDot ? kDotDepthBlock : kDepthBlock;
  int64_t last = getLastDepth(block);
  e.loop(e.constant(0), e.constant(last), block, [&](Value from) {
    emitDepth(from, block, e.mul(e.add(from, block), panels.step), nullptr);
  });
  emitDepth(e.constant(last), depth - last, e.constant(panels.blockElements), finish);
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
    emitColumns(e, item, [&](int64_t panel, int64_t width, bool isLast) {
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

void ProductKernel::emitColumns(Emitter &e, const Item &item,
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

/// Asks for the lines of the results' rows `first` to `first + count` of the item, to write them.
void ProductKernel::prefetchResults(KernelContext &c, const Item &item, Value first,
                                    Value count) const {
  Emitter &e = c.e;
  Operation *terminator = kernel.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    Type element = cast<RankedTensorType>(value.getType()).getElementType();
    int64_t bytes = getElementBytes(element);
    Value buffer = c.evaluator.resultBuffer(index);
    e.loop(e.constant(0), count, 1, [&](Value local) {
      Value row = e.add(e.add(item.firstRow, first), local);
      Value begin = e.mul(e.add(e.mul(row, columns), e.mul(item.block, itemColumns)), bytes);
      for (int64_t byte = 0; byte < itemColumns * bytes; byte += 64)
        e.prefetch(buffer, e.add(begin, byte), 3, /*isWrite=*/true);
    });
  }
}

void ProductKernel::emitEpilogue(KernelContext &c, const Item &item, Value first,
                                 Value count) const {
  Emitter &e = c.e;
  Dims dims = getDims(products.front().getType());
  ArrayRef<Dim> leading = ArrayRef(dims).drop_back();
  Operation *terminator = kernel.getBody().front().getTerminator();
  bool vectorised = true;
  // Sums are asked for at the row and column of this item only: verifyReadInPlace.
  Value row, sumColumn;
  for (auto [index, product] : llvm::enumerate(products)) {
    Value sums = locateSums(c, index);
    c.evaluator.provide(product.getResult(), [&, sums](Evaluator::Index, Lanes lanes) {
      return e.load(e.f32, sums, e.add(e.mul(row, itemColumns), sumColumn), {lanes.width, nullptr});
    });
  }
  for (Value value : terminator->getOperands())
    vectorised &= c.evaluator.isVectorisable(stripReshapes(value));
  Value firstColumn = e.mul(item.block, itemColumns);
  e.loop(first, e.add(first, count), 1, [&](Value localRow) {
    row = localRow;
    Value globalRow = e.add(item.firstRow, localRow);
    SmallVector<Value> at = c.evaluator.delinearise(globalRow, leading);
    at.push_back(nullptr);
    Value width = e.min(e.constant(itemColumns), e.sub(e.constant(columns), firstColumn));
    Value extent = columns % itemColumns == 0 ? e.constant(itemColumns) : width;
    e.columns(extent, vectorised, [&](Value column, Lanes lanes) {
      sumColumn = column;
      at.back() = e.add(firstColumn, column);
      SmallVector<Value> results;
      for (Value value : terminator->getOperands())
        results.push_back(c.evaluator.evaluate(stripReshapes(value), at, lanes));
      Value position = e.add(e.mul(globalRow, columns), at.back());
      for (auto [index, value] : llvm::enumerate(terminator->getOperands()))
        e.store(cast<RankedTensorType>(value.getType()).getElementType(), results[index],
                c.evaluator.resultBuffer(index), position, lanes);
    });
  });
}

} // namespace

FailureOr<std::unique_ptr<KernelShape>> createProductKernel(func::FuncOp kernel) {
  return ProductKernel::create(kernel);
}

} // namespace ashlar::cpu
