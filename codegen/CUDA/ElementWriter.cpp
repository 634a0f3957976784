// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/ElementWriter.h"

#include "codegen/CUDA/Arithmetic.h"
#include "codegen/Target.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::cuda {

Dims dimsOf(Value value) { return getDims(cast<RankedTensorType>(value.getType())); }
Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

StringRef getLayout(BlockArgument argument) {
  auto kernel = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto layout = kernel.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kLayoutAttr);
  return layout ? layout.getValue() : StringRef();
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

static bool isNumber(StringRef x) { return llvm::all_of(x, llvm::isDigit); }
static std::string atom(const std::string &x) {
  bool isAtom = llvm::all_of(x, [](char c) { return llvm::isAlnum(c) || c == '_' || c == '.'; });
  return isAtom ? x : "(" + x + ")";
}

std::string add(const std::string &x, const std::string &y) {
  if (x == "0" || y == "0")
    return x == "0" ? y : x;
  if (isNumber(x) && isNumber(y))
    return std::to_string(std::stoll(x) + std::stoll(y));
  return x + " + " + y;
}

std::string multiply(const std::string &x, const std::string &y) {
  if (x == "0" || y == "0")
    return "0";
  if (x == "1" || y == "1")
    return x == "1" ? y : x;
  if (isNumber(x) && isNumber(y))
    return std::to_string(std::stoll(x) * std::stoll(y));
  return atom(x) + " * " + atom(y);
}

std::string divide(const std::string &x, const std::string &y) {
  return y == "1" ? x : atom(x) + " / " + atom(y);
}

std::string modulo(const std::string &x, const std::string &y) {
  return y == "1" ? "0" : atom(x) + " % " + atom(y);
}

/// Names that kernels' texts use for themselves.
static constexpr StringRef kOwnNames[] = {
    "p",      "lane",    "row",      "column",   "key",        "value",     "thread",
    "base",   "width",   "group",    "item",     "left",       "g",         "k",
    "range",  "weights", "query",    "epilogue", "keys",       "product",   "values",
    "sees",   "head",    "offset",   "key_head", "finish",     "logsumexp", "at",
    "behind", "oldest",  "sequence", "all_see",  "takes_part", "part"};

std::string getExtentVariable(func::FuncOp kernel, StringAttr name) {
  // What C++, the device library or the kernel itself may mean something else by is replaced: a
  // dimension keeps its name where that is surely free.
  static constexpr StringRef usual[] = {"batch", "seq", "past", "total", "tokens", "positions"};
  StringRef text = name.getValue();
  if (llvm::is_contained(usual, text))
    return text.str();
  auto names = getExtentNames(kernel);
  return "extent" + std::to_string(llvm::find(names, name) - names.begin());
}

ElementWriter::ElementWriter(func::FuncOp kernel, Names &names) : kernel(kernel), names(names) {
  for (StringRef name : kOwnNames)
    names.fresh(name);
}

std::string ElementWriter::getBuffer(unsigned index) const {
  unsigned arguments = kernel.getNumArguments();
  return index < arguments ? "in" + std::to_string(index)
                           : "out" + std::to_string(index - arguments);
}

std::string ElementWriter::getSize(const Dim &dim) const {
  return dim.isNumber() ? std::to_string(dim.size) : getExtentVariable(kernel, dim.name);
}

std::string ElementWriter::getProduct(const Monomial &monomial) const {
  std::string product = monomial.scale == 1 ? "" : std::to_string(monomial.scale);
  for (StringAttr name : monomial.names)
    product += (product.empty() ? "" : " * ") + getExtentVariable(kernel, name);
  return product.empty() ? "1" : product;
}

std::string ElementWriter::getCount(ArrayRef<Dim> dims) const {
  return getProduct(getElementCount(dims).terms.front());
}

void ElementWriter::locate(Place &place, ArrayRef<Dim> dims) {
  if (place.at.size() == dims.size())
    return;
  place.at.assign(dims.size(), "0");
  std::string position = place.linear;
  for (size_t i = dims.size(); i-- > 0;) {
    if (dims[i].isOne())
      continue;
    bool outermost = llvm::all_of(dims.take_front(i), [](const Dim &dim) { return dim.isOne(); });
    std::string size = getSize(dims[i]);
    place.at[i] = code().constant(index, "i", outermost ? position : modulo(position, size));
    if (!outermost)
      position = code().constant(index, "q", divide(position, size));
  }
}

std::string ElementWriter::linearise(Place &place, ArrayRef<Dim> dims) {
  if (!place.linear.empty())
    return place.linear;
  std::string position = "0";
  for (size_t i = 0; i < dims.size(); ++i)
    position = add(multiply(position, getSize(dims[i])), place.at[i]);
  return place.linear = isNumber(position) ? position : code().constant(index, "at", position);
}

std::string ElementWriter::getLane(const Place &place) {
  return place.lanes ? add(place.at.back(), kLane.str()) : place.at.back();
}

std::string ElementWriter::getAddress(const View &view, Place &place) {
  std::string offset = std::to_string(view.offset);
  if (getLayout(view.buffer) == "transposed") {
    locate(place, view.dims); // [k, n], stored [n, k]
    return add(multiply(place.at[1], getSize(view.dims[0])), place.at[0]);
  }
  if (view.isCompact())
    return add(linearise(place, view.dims), offset);
  locate(place, view.dims);
  std::string position = offset;
  for (size_t i = 0; i < view.dims.size(); ++i)
    if (!view.dims[i].isOne())
      position = add(position, multiply(place.at[i], getProduct(view.strides[i])));
  return position;
}

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

bool ElementWriter::fitsLanes(Value value, int64_t count) const {
  if (isProvided(value))
    return true;
  Dims dims = dimsOf(value);
  if (dims.empty() || !dims.back().isNumber() || dims.back().size % count != 0)
    return false;
  if (auto view = getView(value))
    return view->isContiguousInLast() && getLayout(view->buffer).empty();
  Operation *op = value.getDefiningOp();
  if (isa<ElementwiseOpInterface, BroadcastOp>(op))
    return llvm::all_of(op->getOperands(), [&](Value operand) {
      Dims from = dimsOf(operand);
      return from.empty() || from.back().isOne() || fitsLanes(operand, count);
    });
  if (auto slice = dyn_cast<SliceOp>(op))
    return (slice.getAxis() + 1 != dims.size() || slice.getOffset() % count == 0) &&
           fitsLanes(slice.getX(), count);
  if (auto transpose = dyn_cast<TransposeOp>(op))
    return transpose.getPermutation().back() + 1 == static_cast<int64_t>(dims.size()) &&
           fitsLanes(transpose.getX(), count);
  if (auto reshape = dyn_cast<ReshapeOp>(op))
    return fitsLanes(reshape.getX(), count);
  if (auto gather = dyn_cast<GatherOp>(op))
    return dims.size() > 1 && fitsLanes(gather.getX(), count);
  if (auto embedding = dyn_cast<EmbeddingOp>(op))
    return isa<BlockArgument>(embedding.getTable());
  if (auto rope = dyn_cast<RopeOp>(op)) {
    int64_t pairs = dimsOf(rope.getCosines()).back().size;
    return !rope.getInterleaved() && pairs % count == 0 && dims.back().size == 2 * pairs &&
           fitsLanes(rope.getX(), count) && fitsLanes(rope.getCosines(), count) &&
           fitsLanes(rope.getSines(), count);
  }
  if (auto table = dyn_cast<RopeTableOp>(op))
    return fitsLanes(table.getFrequencies(), count);
  if (isa<SoftmaxOp, LayerNormOp, RmsNormOp>(op)) // a pass of a row kernel, in lanes itself
    return llvm::all_of(op->getOperands(),
                        [&](Value operand) { return fitsLanes(operand, count); });
  if (auto constant = dyn_cast<ConstantOp>(op))
    return constant.getValue().isSplat();
  return isa<IotaOp>(op);
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

static std::string getKey(Value value, const Place &place) {
  std::string key;
  llvm::raw_string_ostream stream(key);
  stream << value.getAsOpaquePointer() << "@" << llvm::join(place.at, ",") << "@" << place.linear
         << (place.lanes ? "@" : "");
  return key;
}

/// What is read from memory as it is computed with.
static std::string toValue(Type element, const std::string &raw) {
  if (element.isBF16() || element.isF16())
    return "to_float(" + raw + ")";
  return element.isInteger(1) ? raw + " != 0" : raw;
}

std::string ElementWriter::evaluate(Value value, Place place) {
  Type type = elementOf(value);
  auto rounded = [&](const std::string &element) {
    if (!type.isF16() && !type.isBF16())
      return element;
    return code(place.lanes)
        .constant("float", "rounded",
                  "to_float(round_to<" + getMemoryType(type) + ">(" + element + "))");
  };
  auto provided = providers.find(value);
  if (provided != providers.end()) {
    Provider provider = provided->second; // which may be withdrawn meanwhile
    return rounded(provider(place));
  }
  std::string key = getKey(value, place), known = code(place.lanes).recall(key);
  if (known.empty())
    known = outer->recall(key);
  if (!known.empty())
    return known;
  std::string element;
  if (auto view = getView(value)) {
    element = load(*view, place);
  } else {
    Operation *op = value.getDefiningOp();
    element = evaluateOp(op, value, place);
    if (!isa<SliceOp, TransposeOp, ReshapeOp, BroadcastOp, GatherOp, ConcatOp>(op))
      element = rounded(element);
  }
  code(place.lanes).remember(key, element);
  return element;
}

std::string ElementWriter::load(const View &view, Place &place) {
  Type type = elementOf(view.buffer);
  std::string buffer = getBuffer(view.buffer.getArgNumber()), memory = getMemoryType(type).str(),
              value = getValueType(type).str(), address = getAddress(view, place);
  if (!place.lanes)
    return code().constant(value, buffer + "_", toValue(type, buffer + "[" + address + "]"));
  // Neighbours move at once where they lie in one aligned piece.
  bool isAligned = view.offset % laneCount == 0 && view.isContiguousInLast() &&
                   getElementBytes(type) * laneCount <= 16;
  for (size_t i = 0; i + 1 < view.dims.size(); ++i)
    isAligned &= view.dims[i].isOne() || view.strides[i].scale % laneCount == 0;
  if (isAligned) {
    std::string vector = "<" + memory + ", " + std::to_string(laneCount) + ">";
    std::string loaded =
        code().constant("Vec" + vector, buffer + "_",
                        "load_vector" + vector + "(" + buffer + " + " + address + ")");
    std::string element = loaded + ".element[" + kLane.str() + "]";
    return type.isF32() ? element
                        : code(true).constant(value, buffer + "_", toValue(type, element));
  }
  std::string base = isNumber(address) ? address : code().constant(index, "at", address);
  std::string stride = view.isContiguousInLast() ? "1" : getProduct(view.strides.back());
  std::string at = add(base, multiply(kLane.str(), stride));
  return code(true).constant(value, buffer + "_", toValue(type, buffer + "[" + at + "]"));
}

Place ElementWriter::align(const Place &place, ArrayRef<Dim> from, ArrayRef<Dim> to) {
  if (from == to)
    return place;
  Place located = place, aligned;
  locate(located, from);
  aligned.at.assign(located.at.end() - to.size(), located.at.end());
  for (size_t i = 0; i < to.size(); ++i)
    if (to[i].isOne())
      aligned.at[i] = "0";
  aligned.lanes = place.lanes && !to.empty() && !to.back().isOne();
  return aligned;
}

std::string ElementWriter::evaluateElementwise(Operation *op, Place &place) {
  SmallVector<std::string> elements;
  Dims result = dimsOf(op->getResult(0));
  for (Value operand : op->getOperands())
    elements.push_back(evaluate(operand, align(place, result, dimsOf(operand))));
  return isa<BroadcastOp>(op) ? elements.front() : writeElement(code(place.lanes), op, elements);
}

std::string ElementWriter::evaluateReshape(ReshapeOp op, Place &place) {
  Dims from = dimsOf(op.getY()), to = dimsOf(op.getX());
  Place moved;
  moved.lanes = place.lanes;
  moved.linear = linearise(place, from);
  return evaluate(op.getX(), moved);
}

std::string ElementWriter::evaluateOp(Operation *op, Value value, Place &place) {
  if (isa<ElementwiseOpInterface, BroadcastOp>(op))
    return evaluateElementwise(op, place);
  if (auto reshape = dyn_cast<ReshapeOp>(op))
    return evaluateReshape(reshape, place);
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    auto elements = cast<DenseElementsAttr>(constant.getValue());
    return getLiteral(cast<TypedAttr>(elements.getSplatValue<Attribute>()));
  }
  locate(place, dimsOf(value));
  Place moved{place.at, "", place.lanes};
  if (auto slice = dyn_cast<SliceOp>(op)) {
    std::string &at = moved.at[slice.getAxis()];
    at = add(at, std::to_string(slice.getOffset()));
    return evaluate(slice.getX(), moved);
  }
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    for (auto [to, from] : llvm::enumerate(transpose.getPermutation()))
      moved.at[from] = place.at[to];
    return evaluate(transpose.getX(), moved);
  }
  if (auto iota = dyn_cast<IotaOp>(op)) {
    bool along = iota.getAxis() + 1 == place.at.size();
    return code(place.lanes && along)
        .constant(getValueType(elementOf(value)), "iota",
                  along ? getLane(place) : place.at[iota.getAxis()]);
  }
  if (auto gather = dyn_cast<GatherOp>(op))
    return evaluateGather(gather, place);
  if (auto rope = dyn_cast<RopeOp>(op))
    return evaluateRope(rope, place);
  if (auto table = dyn_cast<RopeTableOp>(op))
    return evaluateRopeTable(table, value, place);
  if (auto embedding = dyn_cast<EmbeddingOp>(op))
    return evaluateEmbedding(embedding, place);
  if (auto concat = dyn_cast<ConcatOp>(op))
    return evaluateConcat(concat, place);
  if (auto matmul = dyn_cast<MatmulOp>(op))
    return evaluateMatmul(matmul, place);
  if (auto cumsum = dyn_cast<CumsumOp>(op))
    return evaluateCumsum(cumsum, place);
  if (auto merge = dyn_cast<MergeAttentionOp>(op))
    return evaluateMergeAttention(merge, value, place);
  return evaluateReduce(cast<ReduceOp>(op), place);
}

} // namespace ashlar::cuda
