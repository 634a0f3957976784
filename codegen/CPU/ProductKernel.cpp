// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y = epilogue(a w1, a w2, ...), a [rows, depth] read in place, w packed in panels of 32 columns.
//
// A work item is a block of kRowBlock rows times one panel. Its sums live in scratch ([rows][32]
// per product, in the first-level cache); depth is cut in blocks of kDepthBlock so that a panel's
// part stays in cache while the rows pass over it; the epilogue then reads the finished sums row by
// row. Neighbouring items share the rows of a.

#include "codegen/CPU/Kernels.h"
#include "codegen/CPU/Tiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cpu {

static constexpr int64_t kRowBlock = 192;
static constexpr int64_t kDepthBlock = 512;

namespace {

class ProductKernel : public KernelShape {
public:
  static FailureOr<std::unique_ptr<KernelShape>> create(func::FuncOp kernel);

  KernelDescription describe() const override {
    KernelDescription description;
    description.grid.push_back(asExtent(rows, kRowBlock));
    description.grid.push_back(Extent{columns, {}, kPanel});
    description.scratchBytes =
        Polynomial(static_cast<int64_t>(products.size()) * kRowBlock * kPanel * 4);
    return description;
  }
  void emit(KernelContext &context) const override;

private:
  void emitProducts(KernelContext &c, Value firstRow, Value count, Value panel) const;
  void emitEpilogue(KernelContext &c, Value firstRow, Value count, Value panel) const;

  mutable func::FuncOp kernel; // an op is a handle; its accessors are not const
  mutable SmallVector<MatmulOp> products;
  View left;
  Monomial rowStride; // of the left operand, in elements
  Monomial rows;
  int64_t columns = 0, depth = 0;
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
  shape->rowStride = *stride;
  Dims result = getDims(first.getType());
  shape->columns = result.back().size;
  shape->depth = getDims(type).back().size;
  if (!result.back().isNumber() || !getDims(type).back().isNumber())
    return first.emitOpError() << "has packed weights whose dimensions are not numbers";
  result.pop_back();
  shape->rows = getElementCount(result).terms.front();
  for (Value value : kernel.getBody().front().getTerminator()->getOperands())
    if (getDims(cast<RankedTensorType>(stripReshapes(value).getType())) != getDims(first.getType()))
      return first.emitOpError() << "is fused with a result of another shape: " << value.getType();
  return std::unique_ptr<KernelShape>(std::move(shape));
}

void ProductKernel::emit(KernelContext &c) const {
  Emitter &e = c.e;
  int64_t panels = llvm::divideCeil(columns, kPanel);
  Value total = c.evaluator.product(rows);
  e.loop(c.begin, c.end, 1, [&](Value item) {
    Value panel = e.rem(item, e.constant(panels));
    Value firstRow = e.mul(e.div(item, e.constant(panels)), kRowBlock);
    Value count = e.min(e.constant(kRowBlock), e.sub(total, firstRow));
    emitProducts(c, firstRow, count, panel);
    emitEpilogue(c, firstRow, count, panel);
  });
}

void ProductKernel::emitProducts(KernelContext &c, Value firstRow, Value count, Value panel) const {
  Emitter &e = c.e;
  Value stride = c.evaluator.product(rowStride);
  Value leftRows = e.offset(c.evaluator.buffer(left.buffer.getArgNumber()), e.f32,
                            e.add(e.mul(firstRow, stride), left.offset));
  Value zero = e.f32Constant(0.0, e.model.lanes);
  for (auto [index, product] : llvm::enumerate(products)) {
    Value sums = e.offset(c.scratch, e.f32, e.constant(index * kRowBlock * kPanel));
    e.loop(e.constant(0), e.mul(count, kPanel), e.model.lanes,
           [&](Value i) { e.store(e.f32, zero, sums, i, {e.model.lanes, nullptr}); });
    auto weight = cast<BlockArgument>(product.getB());
    Value pointer = c.evaluator.buffer(weight.getArgNumber());
    bool isBf16 = getLayout(weight) == "panel_bf16";
    int64_t pairs = llvm::divideCeil(depth, 2);
    e.loop(e.constant(0), e.constant(depth), kDepthBlock, [&](Value k) {
      Value length = e.min(e.constant(kDepthBlock), e.sub(e.constant(depth), k));
      Value a = e.offset(leftRows, e.f32, k);
      if (isBf16) {
        // Two panels of 16 columns make one of 32; a block starts at an even row.
        Value b =
            e.offset(pointer, e.b.getBF16Type(), e.add(e.mul(panel, 2 * pairs * 32), e.mul(k, 16)));
        emitTiles(e, c.module, WeightType::BF16, a, stride, b, e.constant(pairs * 32), sums,
                  e.constant(kPanel), length, count);
      } else {
        Value b = e.offset(pointer, e.f32, e.add(e.mul(panel, depth * kPanel), e.mul(k, kPanel)));
        emitTiles(e, c.module, WeightType::F32, a, stride, b, e.constant(kPanel), sums,
                  e.constant(kPanel), length, count);
      }
    });
  }
}

void ProductKernel::emitEpilogue(KernelContext &c, Value firstRow, Value count, Value panel) const {
  Emitter &e = c.e;
  Dims dims = getDims(products.front().getType());
  ArrayRef<Dim> leading = ArrayRef(dims).drop_back();
  Operation *terminator = kernel.getBody().front().getTerminator();
  bool vectorised = true;
  // Sums are read at the row and column of this item, whatever index they are asked for by.
  Value row, sumColumn;
  for (auto [index, product] : llvm::enumerate(products)) {
    Value sums = e.offset(c.scratch, e.f32, e.constant(index * kRowBlock * kPanel));
    c.evaluator.provide(product.getResult(), [&, sums](Evaluator::Index, Lanes lanes) {
      return e.load(e.f32, sums, e.add(e.mul(row, kPanel), sumColumn), {lanes.width, nullptr});
    });
  }
  for (Value value : terminator->getOperands())
    vectorised &= c.evaluator.isVectorisable(stripReshapes(value));
  Value firstColumn = e.mul(panel, kPanel);
  e.loop(e.constant(0), count, 1, [&](Value localRow) {
    row = localRow;
    Value globalRow = e.add(firstRow, localRow);
    SmallVector<Value> at = c.evaluator.delinearise(globalRow, leading);
    at.push_back(nullptr);
    Value width = e.min(e.constant(kPanel), e.sub(e.constant(columns), firstColumn));
    Value extent = columns % kPanel == 0 ? e.constant(kPanel) : width;
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
