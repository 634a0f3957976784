// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/Evaluator.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cpu {

static Dims dimsOf(Value value) { return getDims(cast<RankedTensorType>(value.getType())); }
static Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

StringRef getLayout(BlockArgument argument) {
  auto kernel = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto layout = kernel ? kernel.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kLayoutAttr) : StringAttr();
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

Value Evaluator::size(const Dim &dim) { return dim.isNumber() ? e.constant(dim.size) : extents.lookup(dim.name); }

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
  if (isProvided(value))
    return true;
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
      return lastIsWhole(operand) && (dimsOf(operand).empty() || dimsOf(operand).back().isOne() || isVectorisable(operand));
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
    return !rope.getInterleaved() && pairs % e.model.lanes == 0 && width == 2 * pairs && isVectorisable(rope.getX()) &&
           isVectorisable(rope.getCosines()) && isVectorisable(rope.getSines());
  }
  if (auto constant = dyn_cast<ConstantOp>(op))
    return constant.getValue().isSplat();
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return static_cast<int64_t>(reduce.getAxis()) + 1 < cast<RankedTensorType>(reduce.getX().getType()).getRank() &&
           isVectorisable(reduce.getX());
  return isa<IotaOp, RopeTableOp>(op) && (isa<IotaOp>(op) || isVectorisable(cast<RopeTableOp>(op).getFrequencies()));
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

Value Evaluator::evaluate(Value value, Index index, Lanes lanes) {
  auto provided = providers.find(value);
  if (provided != providers.end())
    return provided->second(index, lanes);
  if (auto view = getView(value)) {
    if (!getLayout(view->buffer).empty()) {
      // A packed weight read element by element: only as it is, not through a view.
      return loadPanel(view->buffer, index[0], index[1], lanes);
    }
    return e.load(elementOf(value), buffer(view->buffer.getArgNumber()), address(*view, index), lanes);
  }
  return evaluateOp(value.getDefiningOp(), value, index, lanes);
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
  Value element = cast<ElementwiseOpInterface>(op).buildElement(e.b, elements);
  // Elements travel as f32; a narrower tensor holds what rounding leaves, also where it is never stored.
  Type type = elementOf(op->getResult(0));
  return type.isF16() || type.isBF16() ? e.round(type, element) : element;
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
    return evaluate(reshape.getX(), delinearise(linearise(index, dimsOf(value)), dimsOf(reshape.getX())), lanes);
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
    Value position = along ? e.sequence(index.back(), lanes.width) : e.splat(index[iota.getAxis()], lanes.width);
    Type element = elementOf(value);
    if (isa<FloatType>(element))
      return arith::SIToFPOp::create(e.b, e.vector(element.isF64() ? element : e.f32, lanes.width), position);
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

Value Evaluator::evaluateConstant(ConstantOp op, Lanes lanes) {
  auto elements = cast<DenseElementsAttr>(op.getValue());
  Attribute scalar = elements.getSplatValue<Attribute>();
  if (auto number = dyn_cast<FloatAttr>(scalar); number && !number.getType().isF64())
    return e.f32Constant(number.getValueAsDouble(), lanes.width);
  return e.splat(arith::ConstantOp::create(e.b, cast<TypedAttr>(scalar)), lanes.width);
}

Value Evaluator::loadPanel(BlockArgument weight, Value row, Value column, Lanes) {
  // Logical [K, N] (or [N, K] under a transposed product) is addressed by (n, k): the caller passes n = row, k = column
  // as a table [rows, width] is a Linear's [N, K].
  Dims dims = dimsOf(weight);
  Value pointer = buffer(weight.getArgNumber());
  Value width = size(dims[1]);
  if (getLayout(weight) == "panel_bf16") {
    Value pairs = e.ceilDiv(width, 2);
    Value position = e.add(e.mul(e.div(row, e.constant(16)), e.mul(pairs, 32)),
                           e.add(e.mul(e.div(column, e.constant(2)), 32),
                                 e.add(e.mul(e.rem(row, e.constant(16)), 2), e.rem(column, e.constant(2)))));
    return e.load(e.b.getBF16Type(), pointer, position);
  }
  Value position = e.add(e.mul(e.div(row, e.constant(kPanel)), e.mul(width, kPanel)),
                         e.add(e.mul(column, kPanel), e.rem(row, e.constant(kPanel))));
  return e.load(e.f32, pointer, position);
}

Value Evaluator::evaluateEmbedding(EmbeddingOp op, Index index, Lanes lanes) {
  Value id = evaluate(op.getIds(), index.drop_back());
  if (id.getType() != e.i64)
    id = arith::ExtSIOp::create(e.b, e.i64, id);
  Value rows = size(dimsOf(op.getTable())[0]);
  Value inside = arith::CmpIOp::create(e.b, arith::CmpIPredicate::ult, id, rows);
  Value safe = e.select(inside, id, e.constant(0));
  Value element = evaluate(op.getTable(), {safe, index.back()}, lanes);
  return e.select(inside, element, e.f32Constant(0.0, lanes.width));
}

Value Evaluator::evaluateConcat(ConcatOp op, Index index, Lanes lanes) {
  // One input holds the element; a chain of branches finds it.
  Value position = index[op.getAxis()];
  Type type = e.vector(isa<FloatType>(elementOf(op.getResult())) && !elementOf(op.getResult()).isF64()
                           ? e.f32 : elementOf(op.getResult()), lanes.width);
  std::function<Value(size_t, int64_t)> pick = [&](size_t input, int64_t before) -> Value {
    Value operand = op.getInputs()[input];
    SmallVector<Value> moved(index);
    moved[op.getAxis()] = e.sub(position, e.constant(before));
    int64_t end = before + dimsOf(operand)[op.getAxis()].size;
    if (input + 1 == op.getInputs().size())
      return evaluate(operand, moved, lanes);
    auto branch = scf::IfOp::create(e.b, TypeRange{type}, e.less(position, e.constant(end)), true, true);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(e.b, evaluate(operand, moved, lanes));
    e.b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(e.b, pick(input + 1, end));
    return branch.getResult(0);
  };
  return pick(0, 0);
}

Value Evaluator::evaluateRope(RopeOp op, Index index, Lanes lanes) {
  int64_t pairs = dimsOf(op.getCosines()).back().size, width = dimsOf(op.getY()).back().size;
  Value column = index.back();
  // The element's partner, its pair and which of the two it is.
  Value pair, isSecond, partner;
  if (op.getInterleaved()) {
    pair = e.div(column, e.constant(2));
    isSecond = e.equal(e.rem(column, e.constant(2)), e.constant(1));
    partner = e.select(isSecond, e.sub(column, e.constant(1)), e.add(column, 1));
  } else {
    isSecond = arith::CmpIOp::create(e.b, arith::CmpIPredicate::sge, column, e.constant(pairs));
    pair = e.select(isSecond, e.sub(column, e.constant(pairs)), column);
    partner = e.select(isSecond, pair, e.add(column, pairs));
  }
  auto rotate = [&]() -> Value {
    SmallVector<Value> other(index);
    other.back() = partner;
    Value x = evaluate(op.getX(), index, lanes), y = evaluate(op.getX(), other, lanes);
    SmallVector<Value> angle = {index[0], index[1], pair};
    Value cosine = evaluate(op.getCosines(), angle, lanes), sine = evaluate(op.getSines(), angle, lanes);
    Value signedSine = e.select(isSecond, sine, arith::NegFOp::create(e.b, sine));
    Value straight = arith::MulFOp::create(e.b, x, cosine);
    return arith::AddFOp::create(e.b, straight, arith::MulFOp::create(e.b, y, signedSine));
  };
  if (width == 2 * pairs)
    return rotate();
  auto branch = scf::IfOp::create(e.b, TypeRange{e.vector(e.f32, lanes.width)},
                                  e.less(column, e.constant(2 * pairs)), true, true);
  OpBuilder::InsertionGuard guard(e.b);
  e.b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(e.b, rotate());
  e.b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(e.b, evaluate(op.getX(), index, lanes));
  return branch.getResult(0);
}

Value Evaluator::evaluateRopeTable(RopeTableOp op, Value value, Index index, Lanes lanes) {
  Value position = evaluate(op.getPositions(), index.take_front(2));
  Value whole = e.splat(arith::SIToFPOp::create(e.b, e.f32, position), lanes.width);
  Value frequency = evaluate(op.getFrequencies(), index.take_back(1), lanes);
  Value angle = arith::MulFOp::create(e.b, whole, frequency);
  Value wave = value == op.getCosines() ? Value(math::CosOp::create(e.b, angle)) : Value(math::SinOp::create(e.b, angle));
  return arith::MulFOp::create(e.b, wave, e.f32Constant(op.getScale().convertToDouble(), lanes.width));
}

Value Evaluator::evaluateMatmul(MatmulOp op, Index index, Lanes) {
  // The plain sum of one element, for products that are not worth a kernel of their own.
  Dims a = dimsOf(op.getA());
  Value zero = e.f32Constant(0.0);
  auto sum = e.loop(e.constant(0), size(a.back()), 1, zero, [&](Value k, ValueRange carried) -> SmallVector<Value> {
    SmallVector<Value> left(index), right(index.take_back(dimsOf(op.getB()).size()));
    left.back() = k;
    size_t last = right.size() - 1;
    right[op.getTransposeB() ? last : last - 1] = k;
    if (op.getTransposeB())
      right[last - 1] = index.back();
    return {e.fma(evaluate(op.getA(), left), evaluate(op.getB(), right), carried[0])};
  });
  return sum.front();
}

Value Evaluator::evaluateCumsum(CumsumOp op, Index index) {
  // Every element adds up what lies before it: positions of tokens, a few hundred at most.
  SmallVector<Value> at(index);
  at[op.getAxis()] = e.constant(0);
  Value first = evaluate(op.getX(), at);
  bool isFloat = isa<FloatType>(first.getType());
  return e.loop(e.constant(1), e.add(index[op.getAxis()], 1), 1, first, [&](Value i, ValueRange carried) -> SmallVector<Value> {
    at[op.getAxis()] = i;
    Value x = evaluate(op.getX(), at);
    return {isFloat ? Value(arith::AddFOp::create(e.b, carried[0], x)) : Value(arith::AddIOp::create(e.b, carried[0], x))};
  }).front();
}

Value Evaluator::evaluateReduce(ReduceOp op, Index index, Lanes lanes) {
  SmallVector<Value> at(index);
  if (op.getKeepDims())
    at[op.getAxis()] = nullptr;
  else
    at.insert(at.begin() + op.getAxis(), nullptr);
  Value count = size(dimsOf(op.getX())[op.getAxis()]);
  at[op.getAxis()] = e.constant(0);
  ReduceKind kind = op.getKind();
  Value first = evaluate(op.getX(), at, lanes);
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(first.getType()));
  Value result = e.loop(e.constant(1), count, 1, first, [&](Value i, ValueRange carried) -> SmallVector<Value> {
    at[op.getAxis()] = i;
    Value x = evaluate(op.getX(), at, lanes), y = carried[0];
    switch (kind) {
    case ReduceKind::Sum:
    case ReduceKind::Mean:
      return {isFloat ? Value(arith::AddFOp::create(e.b, y, x)) : Value(arith::AddIOp::create(e.b, y, x))};
    case ReduceKind::Max:
      return {isFloat ? Value(arith::MaximumFOp::create(e.b, y, x)) : Value(arith::MaxSIOp::create(e.b, y, x))};
    case ReduceKind::Min:
      return {isFloat ? Value(arith::MinimumFOp::create(e.b, y, x)) : Value(arith::MinSIOp::create(e.b, y, x))};
    }
    llvm_unreachable("a reduction without arithmetic");
  }).front();
  if (kind != ReduceKind::Mean)
    return result;
  count = isFloat ? Value(arith::SIToFPOp::create(e.b, getElementTypeOrSelf(first.getType()), count)) : count;
  count = e.splat(count, lanes.width);
  return isFloat ? Value(arith::DivFOp::create(e.b, result, count)) : Value(arith::DivSIOp::create(e.b, result, count));
}

} // namespace ashlar::cpu
