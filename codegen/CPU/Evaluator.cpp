// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/Evaluator.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cpu {

static Dims dimsOf(Value value) { return getDims(cast<RankedTensorType>(value.getType())); }
static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

StringRef getLayout(BlockArgument argument) {
  auto kernel = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto layout = kernel ? kernel.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kLayoutAttr)
                       : StringAttr();
  return layout ? layout.getValue() : StringRef();
}

Evaluator::Evaluator(Emitter &emitter, func::FuncOp kernel, Value buffers, Value extentValues)
    : e(emitter), kernel(kernel) {
  for (auto [index, name] : llvm::enumerate(getExtentNames(kernel)))
    extents[name] = e.load(e.i64, extentValues, e.constant(index));
  unsigned count = kernel.getNumArguments() + kernel.getNumResults();
  for (unsigned i = 0; i < count; ++i)
    pointers.push_back(e.load(e.pointer, buffers, e.constant(i)));
}

Value Evaluator::size(const Dim &dim) {
  return dim.isNumber() ? e.constant(dim.size) : extents.lookup(dim.name);
}

Value Evaluator::product(const Monomial &monomial) {
  Value product = e.constant(monomial.scale);
  for (StringAttr name : monomial.names)
    product = e.mul(product, extents.lookup(name));
  return product;
}

Value Evaluator::address(const View &view, Index index) {
  Value position = e.constant(view.offset);
  for (size_t i = 0; i < view.dims.size(); ++i)
    if (!view.dims[i].isOne())
      position = e.add(position, e.mul(index[i], product(view.strides[i])));
  return position;
}

SmallVector<Value> Evaluator::delinearise(Value position, ArrayRef<Dim> dims) {
  SmallVector<Value> index(dims.size());
  for (size_t i = dims.size(); i-- > 0;) {
    if (dims[i].isOne()) {
      index[i] = e.constant(0);
      continue;
    }
    bool outermost = llvm::all_of(dims.take_front(i), [](const Dim &dim) { return dim.isOne(); });
    Value extent = size(dims[i]);
    index[i] = outermost ? position : e.rem(position, extent);
    position = outermost ? position : e.div(position, extent);
  }
  return index;
}

Value Evaluator::linearise(Index index, ArrayRef<Dim> dims) {
  Value position = e.constant(0);
  for (size_t i = 0; i < dims.size(); ++i)
    position = e.add(e.mul(position, size(dims[i])), index[i]);
  return position;
}

//===----------------------------------------------------------------------===//
// Whether lanes will do
//===----------------------------------------------------------------------===//

bool Evaluator::isVectorisable(Value value) {
  if (auto provided = providers.find(value); provided != providers.end())
    return provided->second.inLanes;
  auto argument = dyn_cast<BlockArgument>(value);
  if (argument && !getLayout(argument).empty())
    return false;
  if (auto view = getView(value))
    return view->isContiguousInLast() && getLayout(view->buffer).empty();
  Operation *op = value.getDefiningOp();
  auto lastIsWhole = [&](Value operand) {
    Dims from = dimsOf(operand), to = dimsOf(value);
    return from.empty() || to.empty() || from.back() == to.back() || from.back().isOne();
  };
  if (isa<ElementwiseOpInterface, BroadcastOp>(op))
    return llvm::all_of(op->getOperands(), [&](Value operand) {
      return lastIsWhole(operand) &&
             (dimsOf(operand).empty() || dimsOf(operand).back().isOne() || isVectorisable(operand));
    });
  if (auto slice = dyn_cast<SliceOp>(op))
    return isVectorisable(slice.getX());
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    int64_t rank = dimsOf(value).size();
    return transpose.getPermutation().back() == rank - 1 && isVectorisable(transpose.getX());
  }
  if (auto reshape = dyn_cast<ReshapeOp>(op))
    return !dimsOf(value).empty() && !dimsOf(reshape.getX()).empty() &&
           dimsOf(value).back() == dimsOf(reshape.getX()).back() && isVectorisable(reshape.getX());
  if (auto gather = dyn_cast<GatherOp>(op))
    return dimsOf(value).size() > 1 && isVectorisable(gather.getX());
  if (auto embedding = dyn_cast<EmbeddingOp>(op)) {
    auto table = dyn_cast<BlockArgument>(embedding.getTable());
    return table && getLayout(table).empty();
  }
  if (auto rope = dyn_cast<RopeOp>(op)) {
    // A register must not reach over the border between the halves of a pair.
    int64_t pairs = dimsOf(rope.getCosines()).back().size, width = dimsOf(value).back().size;
    return !rope.getInterleaved() && pairs % e.model.lanes == 0 && width == 2 * pairs &&
           isVectorisable(rope.getX()) && isVectorisable(rope.getCosines()) &&
           isVectorisable(rope.getSines());
  }
  if (auto constant = dyn_cast<ConstantOp>(op))
    return constant.getValue().isSplat();
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return static_cast<int64_t>(reduce.getAxis()) + 1 <
               cast<RankedTensorType>(reduce.getX().getType()).getRank() &&
           isVectorisable(reduce.getX());
  return isa<IotaOp, RopeTableOp>(op) &&
         (isa<IotaOp>(op) || isVectorisable(cast<RopeTableOp>(op).getFrequencies()));
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

Value Evaluator::evaluate(Value value, Index index, Lanes lanes) {
  // Elements travel as f32; a narrower tensor holds what rounding leaves, also where it is never
  // stored.
  auto rounded = [&](Value element) {
    Type type = elementOf(value);
    return type.isF16() || type.isBF16() ? e.round(type, element) : element;
  };
  auto provided = providers.find(value);
  if (provided != providers.end())
    return rounded(provided->second.provider(index, lanes));
  if (auto view = getView(value)) {
    if (!getLayout(view->buffer).empty()) {
      // A packed weight read element by element: only as it is, not through a view.
      return loadPanel(view->buffer, index[0], index[1], lanes);
    }
    return e.load(elementOf(value), buffer(view->buffer.getArgNumber()), address(*view, index),
                  lanes);
  }
  Operation *op = value.getDefiningOp();
  Value element = evaluateOp(op, value, index, lanes);
  bool moves = isa<SliceOp, TransposeOp, ReshapeOp, BroadcastOp, GatherOp, ConcatOp>(op);
  return moves ? element : rounded(element);
}

/// The index of an operand that broadcasts into the result's index.
static SmallVector<Value> alignIndex(Emitter &e, ArrayRef<Value> index, ArrayRef<Dim> dims) {
  SmallVector<Value> aligned(index.take_back(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i].isOne())
      aligned[i] = e.constant(0);
  return aligned;
}

Value Evaluator::evaluateElementwise(Operation *op, Index index, Lanes lanes) {
  SmallVector<Value> elements;
  Dims result = dimsOf(op->getResult(0));
  for (Value operand : op->getOperands()) {
    Dims dims = dimsOf(operand);
    SmallVector<Value> aligned = alignIndex(e, index, dims);
    bool stretched = dims.empty() || (dims.back().isOne() && !result.back().isOne());
    elements.push_back(stretched ? e.splat(evaluate(operand, aligned), lanes.width)
                                 : evaluate(operand, aligned, lanes));
  }
  if (isa<BroadcastOp>(op))
    return elements.front();
  return cast<ElementwiseOpInterface>(op).buildElement(e.b, elements);
}

Value Evaluator::evaluateOp(Operation *op, Value value, Index index, Lanes lanes) {
  SmallVector<Value> moved(index);
  if (isa<ElementwiseOpInterface, BroadcastOp>(op))
    return evaluateElementwise(op, index, lanes);
  if (auto slice = dyn_cast<SliceOp>(op)) {
    moved[slice.getAxis()] = e.add(moved[slice.getAxis()], static_cast<int64_t>(slice.getOffset()));
    return evaluate(slice.getX(), moved, lanes);
  }
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    for (auto [to, from] : llvm::enumerate(transpose.getPermutation()))
      moved[from] = index[to];
    return evaluate(transpose.getX(), moved, lanes);
  }
  if (auto reshape = dyn_cast<ReshapeOp>(op))
    return evaluate(reshape.getX(),
                    delinearise(linearise(index, dimsOf(value)), dimsOf(reshape.getX())), lanes);
  if (auto gather = dyn_cast<GatherOp>(op)) {
    Value row = evaluate(gather.getIndices(), index.take_front(1));
    if (row.getType() != e.i64)
      row = arith::ExtSIOp::create(e.b, e.i64, row);
    Value last = e.sub(size(dimsOf(gather.getX())[1]), e.constant(1));
    moved.insert(moved.begin() + 1, e.max(e.constant(0), e.min(row, last)));
    return evaluate(gather.getX(), moved, lanes);
  }
  if (auto iota = dyn_cast<IotaOp>(op)) {
    bool along = iota.getAxis() + 1 == index.size();
    Value position =
        along ? e.sequence(index.back(), lanes.width) : e.splat(index[iota.getAxis()], lanes.width);
    Type element = elementOf(value);
    if (isa<FloatType>(element))
      return arith::SIToFPOp::create(e.b, e.vector(element.isF64() ? element : e.f32, lanes.width),
                                     position);
    if (element.getIntOrFloatBitWidth() < 64)
      return arith::TruncIOp::create(e.b, e.vector(element, lanes.width), position);
    return position;
  }
  if (auto constant = dyn_cast<ConstantOp>(op))
    return evaluateConstant(constant, lanes);
  if (auto rope = dyn_cast<RopeOp>(op))
    return evaluateRope(rope, index, lanes);
  if (auto table = dyn_cast<RopeTableOp>(op))
    return evaluateRopeTable(table, value, index, lanes);
  if (auto embedding = dyn_cast<EmbeddingOp>(op))
    return evaluateEmbedding(embedding, index, lanes);
  if (auto concat = dyn_cast<ConcatOp>(op))
    return evaluateConcat(concat, index, lanes);
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return evaluateMatmul(matmul, index, lanes);
  if (auto cumsum = dyn_cast<CumsumOp>(op))
    return evaluateCumsum(cumsum, index);
  return evaluateReduce(cast<ReduceOp>(op), index, lanes);
}

} // namespace ashlar::cpu
