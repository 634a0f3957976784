// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/ProductKernel.h"

#include "codegen/CPU/RoundedLeft.h"
#include "codegen/Common/InPlace.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cpu {

/// Work items that keep a dozen cores busy.
static constexpr int64_t kManyItems = 12;

/// The distance of consecutive rows, where the leading dimensions follow each other without gaps.
static std::optional<Monomial> getRowStride(const View &view) {
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

KernelDescription ProductKernel::describe(ArrayRef<CpuModel> models) const {
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

Value ProductKernel::locateSums(KernelContext &c, size_t index) const {
  return c.e.offset(c.scratch, c.e.f32, c.e.constant(index * kRowBlock * itemColumns));
}

Value ProductKernel::locateRounded(KernelContext &c) const {
  return locateSums(c, products.size());
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

FailureOr<std::unique_ptr<KernelShape>> createProductKernel(func::FuncOp kernel) {
  return ProductKernel::create(kernel);
}

} // namespace ashlar::cpu
