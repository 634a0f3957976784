// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Import/ModelBuilder.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar {

ModelBuilder::ModelBuilder(ModuleOp module, ImportedWeights &weights, Location configLoc)
    : module(module), weights(weights), configLoc(configLoc), builder(module.getContext()) {}

Location ModelBuilder::getLoc(const Path &path) {
  return NameLoc::get(builder.getStringAttr(path.name), configLoc);
}

Location ModelBuilder::getValueLoc(const Path &path, StringRef opName) {
  StringRef mnemonic = opName.rsplit('.').second;
  return getLoc({"", paths.take((path / mnemonic).name)});
}

Dims ModelBuilder::dimsOf(Value value) {
  return getDims(mlir::cast<RankedTensorType>(value.getType()));
}

Dim ModelBuilder::declareDim(StringRef name, const DimBounds &bounds) {
  OpBuilder b(module.getContext());
  setInsertionPointForStates(b, module);
  DimOp::create(b, configLoc, name, bounds.minimum, bounds.maximum, DimDerivationAttr(),
                ArrayAttr());
  return Dim::named(b.getStringAttr(name));
}

void ModelBuilder::declareState(StateRole role, StringRef name, Type type) {
  if (module.lookupSymbol(name))
    return;
  OpBuilder b(module.getContext());
  setInsertionPointForStates(b, module);
  StateOp::create(b, configLoc, StateRoleAttr::get(getContext(), role),
                  StateScopeAttr::get(getContext(), StateScope::Session), b.getStringAttr(name),
                  TypeAttr::get(type), StringAttr(), DenseI64ArrayAttr(), DenseI64ArrayAttr(),
                  InitKindAttr(), FloatAttr());
}

//===----------------------------------------------------------------------===//
// Entry points
//===----------------------------------------------------------------------===//

void ModelBuilder::beginEntry(StringRef name) {
  builder.setInsertionPointToEnd(module.getBody());
  Location loc = NameLoc::get(builder.getStringAttr(name), configLoc);
  function = func::FuncOp::create(builder, loc, name, builder.getFunctionType({}, {}));
  builder.setInsertionPointToEnd(function.addEntryBlock());
  lastRead = nullptr;
  paths = PathTable();
  reads.clear();
  writes.clear();
  inputAttrs.clear();
  outputAttrs.clear();
  outputs.clear();
}

Value ModelBuilder::input(StringRef name, ArrayRef<Dim> dims, Attribute otherwise,
                          std::optional<int64_t> limit) {
  NamedAttrList attrs;
  if (otherwise)
    attrs.set(kDefaultAttr, otherwise);
  if (limit)
    attrs.set(kRangeAttr, builder.getDenseI64ArrayAttr({0, *limit}));
  return addInput(name, dims, attrs);
}

Value ModelBuilder::countInput(StringRef name, ArrayRef<Dim> dims, Dim limit, int64_t bound) {
  NamedAttrList attrs;
  attrs.set(kDefaultAttr, dimDefault(limit));
  attrs.set(kRangeAttr, builder.getDenseI64ArrayAttr({1, bound + 1}));
  attrs.set(kLimitAttr, dimDefault(limit));
  return addInput(name, dims, attrs);
}

Value ModelBuilder::addInput(StringRef name, ArrayRef<Dim> dims, NamedAttrList attrs) {
  attrs.set(kNameAttr, builder.getStringAttr(name));
  inputAttrs.push_back(attrs.getDictionary(getContext()));
  return function.getBody().front().addArgument(getTensor(dims, i64()),
                                                getLoc({"", paths.take(name)}));
}

void ModelBuilder::output(StringRef name, Value value) {
  outputs.push_back(value);
  outputAttrs.push_back(
      builder.getDictionaryAttr({builder.getNamedAttr(kNameAttr, builder.getStringAttr(name))}));
}

void ModelBuilder::endEntry() {
  for (const PendingWrite &write : writes)
    WriteOp::create(builder, write.loc, write.value, write.state);
  func::ReturnOp::create(builder, function.getLoc(), outputs);
  SmallVector<Type> results;
  for (Value value : outputs)
    results.push_back(value.getType());
  function.setType(builder.getFunctionType(function.getBody().front().getArgumentTypes(), results));
  function.setAllArgAttrs(inputAttrs);
  function.setAllResultAttrs(outputAttrs);
  function->setAttr(kEntryAttr, builder.getUnitAttr());
}

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

Value ModelBuilder::read(StringRef state, Type type) {
  Value &value = reads[state];
  if (value)
    return value;
  OpBuilder::InsertionGuard guard(builder);
  if (lastRead)
    builder.setInsertionPointAfter(lastRead);
  else
    builder.setInsertionPointToStart(&function.getBody().front());
  lastRead = ReadOp::create(builder, getLoc({"", paths.take(state)}), type, state);
  return value = lastRead->getResult(0);
}

void ModelBuilder::write(const Path &path, Value value, StringRef state) {
  writes.push_back({getLoc(path), value, state.str()});
}

Value ModelBuilder::parameter(const Path &path, StringRef leaf, ArrayRef<int64_t> shape,
                              InitKind init) {
  StateOp state = weights.get(path, leaf, shape, init, getLoc(path));
  return read(state.getSymName(), state.getType());
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

Value ModelBuilder::addBias(const Path &path, StringRef leaf, Value x, int64_t width) {
  return make<AddOp>(path, x, parameter(path, leaf, {width}, InitKind::Zeros));
}

Value ModelBuilder::linear(const Path &path, Value x, int64_t in, int64_t out, bool bias) {
  Value y = make<MatmulOp>(path, x, parameter(path, "weight", {out, in}, InitKind::Normal),
                           /*transpose_b=*/true);
  return bias ? addBias(path, "bias", y, out) : y;
}

Value ModelBuilder::linearTransposed(const Path &path, Value x, int64_t in, int64_t out) {
  Value y = make<MatmulOp>(path, x, parameter(path, "weight", {in, out}, InitKind::Normal),
                           /*transpose_b=*/false);
  return addBias(path, "bias", y, out);
}

Value ModelBuilder::mergedLinearTransposed(const Path &path, StringRef part, Value x, int64_t in,
                                           const ColumnRange &columns) {
  Path own = path / part;
  auto parameter = [&](StringRef leaf, ArrayRef<int64_t> rows, InitKind init) {
    StateOp state = weights.getColumns(path, part, leaf, rows, columns, init, getLoc(own));
    return read(state.getSymName(), state.getType());
  };
  Value y = make<MatmulOp>(own, x, parameter("weight", {in}, InitKind::Normal),
                           /*transpose_b=*/false);
  return make<AddOp>(own, y, parameter("bias", {}, InitKind::Zeros));
}

Value ModelBuilder::tiedLinear(const Path &path, const Path &table, Value x, int64_t rows,
                               int64_t width) {
  return make<MatmulOp>(path, x, parameter(table, "weight", {rows, width}, InitKind::Normal),
                        /*transpose_b=*/true);
}

Value ModelBuilder::embedding(const Path &path, Value ids, int64_t rows, int64_t width) {
  Value table = parameter(path, "weight", {rows, width}, InitKind::Normal);
  bool isF32 = getElementTypeOrSelf(table.getType()).isF32();
  return make<EmbeddingOp>(path, table, ids, isF32 ? TypeAttr() : TypeAttr::get(f32()));
}

Value ModelBuilder::layerNorm(const Path &path, Value x, int64_t width, double epsilon) {
  Value scale = parameter(path, "weight", {width}, InitKind::Ones);
  Value bias = parameter(path, "bias", {width}, InitKind::Zeros);
  return make<LayerNormOp>(path, x, scale, bias, builder.getF64FloatAttr(epsilon));
}

Value ModelBuilder::rmsNorm(const Path &path, Value x, int64_t width, double epsilon) {
  Value scale = parameter(path, "weight", {width}, InitKind::Ones);
  return make<RmsNormOp>(path, x, scale, builder.getF64FloatAttr(epsilon));
}

Value ModelBuilder::attention(const Path &path, Value q, Value k, Value v, Value offsets,
                              Value lengths, Value mask, double scale, bool causal,
                              std::optional<int64_t> window) {
  return make<AttentionOp>(path, q, k, v, offsets, lengths, mask, builder.getF64FloatAttr(scale),
                           causal ? builder.getUnitAttr() : UnitAttr(),
                           window ? builder.getI64IntegerAttr(*window) : IntegerAttr(),
                           IntegerAttr(), IntegerAttr());
}

//===----------------------------------------------------------------------===//
// Plain ops
//===----------------------------------------------------------------------===//

Value ModelBuilder::activate(const Path &path, const Activation &activation, Value x) {
  switch (activation.kind) {
  case Activation::Kind::Gelu:
    return make<GeluOp>(path, x, activation.approximation);
  case Activation::Kind::Relu:
    return make<ReluOp>(path, x);
  case Activation::Kind::Silu:
    return make<SiluOp>(path, x);
  case Activation::Kind::Tanh:
    return make<TanhOp>(path, x);
  case Activation::Kind::Sigmoid:
    return make<SigmoidOp>(path, x);
  case Activation::Kind::Identity:
    return x;
  }
  llvm_unreachable("an activation without an op");
}

Value ModelBuilder::reshape(const Path &path, Value x, ArrayRef<Dim> dims) {
  return make<ReshapeOp>(path, getTensor(dims, getElementTypeOrSelf(x.getType())), x);
}

Value ModelBuilder::splitHeads(const Path &path, Value x, int64_t heads, int64_t width) {
  Dims dims = dimsOf(x);
  dims.pop_back();
  dims.append({number(heads), number(width)});
  return reshape(path, x, dims);
}

Value ModelBuilder::mergeHeads(const Path &path, Value x) {
  Dims dims = dimsOf(x);
  int64_t width = dims.pop_back_val().size;
  dims.back().size *= width;
  return reshape(path, x, dims);
}

Value ModelBuilder::slice(const Path &path, Value x, int64_t axis, int64_t from, int64_t size) {
  return make<SliceOp>(path, x, axis, from, size);
}

Value ModelBuilder::cast(const Path &path, Value x, Type elementType) {
  return make<CastOp>(path, withElementType(mlir::cast<RankedTensorType>(x.getType()), elementType),
                      x);
}

Value ModelBuilder::reduce(const Path &path, ReduceKind kind, Value x, int64_t axis,
                           bool keepDims) {
  return make<ReduceOp>(path, kind, x, axis, keepDims);
}

Value ModelBuilder::firstToken(const Path &path, Value x) {
  Value zeros = make<BroadcastOp>(path, getTensor({dimsOf(x)[0]}, i64()), constantInt(path, 0));
  return make<GatherOp>(path, x, zeros);
}

Value ModelBuilder::constant(const Path &path, double value) {
  return constantVector(path, {static_cast<float>(value)});
}

Value ModelBuilder::constantInt(const Path &path, int64_t value) {
  return make<ConstantOp>(path, DenseElementsAttr::get(RankedTensorType::get({1}, i64()), {value}));
}

Value ModelBuilder::constantVector(const Path &path, ArrayRef<float> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, f32());
  return make<ConstantOp>(path, DenseElementsAttr::get(type, values));
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

Activation readActivation(Config &config, StringRef field, StringRef otherwise) {
  using Kind = Activation::Kind;
  static const std::pair<StringRef, Activation> known[] = {
      {"gelu", {Kind::Gelu}},
      {"gelu_python", {Kind::Gelu}},
      {"gelu_new", {Kind::Gelu, GeluApproximation::Tanh}},
      {"gelu_fast", {Kind::Gelu, GeluApproximation::Tanh}},
      {"gelu_accurate", {Kind::Gelu, GeluApproximation::Tanh}},
      {"gelu_pytorch_tanh", {Kind::Gelu, GeluApproximation::Tanh}},
      {"gelu_python_tanh", {Kind::Gelu, GeluApproximation::Tanh}},
      {"quick_gelu", {Kind::Gelu, GeluApproximation::Sigmoid}},
      {"relu", {Kind::Relu}},
      {"silu", {Kind::Silu}},
      {"swish", {Kind::Silu}},
      {"tanh", {Kind::Tanh}},
      {"sigmoid", {Kind::Sigmoid}},
      {"linear", {Kind::Identity}},
  };
  std::string name = config.getString(field, otherwise);
  std::string names;
  for (const auto &[each, activation] : known) {
    if (each == name)
      return activation;
    names += (names.empty() ? "" : ", ") + each.str();
  }
  config.unsupported(field) << "= '" << name << "' is not supported; supported are " << names;
  return {};
}

} // namespace ashlar
