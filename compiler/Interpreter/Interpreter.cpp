// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks a function op by op. What an op does is in the families' files; here are inputs, extents
// and the order.

#include "compiler/Interpreter/Evaluation.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::interpreter {

const Array &Call::operator[](Value value) const {
  for (OpOperand &operand : op->getOpOperands())
    if (operand.get() == value)
      return *operands[operand.getOperandNumber()];
  llvm_unreachable("not an operand of this op");
}

const Evaluations::Function *Evaluations::find(OperationName op) const {
  auto found = table.find(op.getStringRef());
  return found == table.end() ? nullptr : &found->second;
}

const Evaluations &Evaluations::all() {
  static const Evaluations table = [] {
    Evaluations made;
    registerDistOps(made);
    registerElementwiseOps(made);
    registerShapeOps(made);
    registerNnOps(made);
    registerAttentionOps(made);
    registerStateOps(made);
    return made;
  }();
  return table;
}

FailureOr<std::vector<ArrayPtr>> Evaluator::run(Block &block, std::vector<ArrayPtr> arguments) {
  Values values;
  llvm::DenseMap<Value, unsigned> usesLeft;
  for (auto [argument, value] : llvm::zip(block.getArguments(), arguments))
    values[argument] = value;
  for (Operation &op : block.without_terminator()) {
    if (failed(evaluate(op, values)))
      return failure();
    // What has no use left gives its memory back.
    for (Value operand : op.getOperands()) {
      unsigned &left =
          usesLeft.try_emplace(operand, std::distance(operand.use_begin(), operand.use_end()))
              .first->second;
      if (--left == 0)
        values.erase(operand);
    }
  }
  std::vector<ArrayPtr> yielded;
  for (Value operand : block.getTerminator()->getOperands())
    yielded.push_back(values.lookup(operand));
  return yielded;
}

LogicalResult Evaluator::evaluate(Operation &op, Values &values) {
  std::vector<ArrayPtr> operands;
  for (Value operand : op.getOperands())
    operands.push_back(values.lookup(operand));
  if (auto fused = dyn_cast<FusedOp>(op))
    return evaluateFused(fused, std::move(operands), values);

  const Evaluations &evaluations = options.evaluations ? *options.evaluations : Evaluations::all();
  const Evaluations::Function *function = evaluations.find(op.getName());
  if (!function)
    return op.emitError() << "the interpreter has no evaluation of '" << op.getName() << "'";
  Call call(&op, std::move(operands), states, extents, place);
  auto emitError = [&] { return op.emitOpError(); };
  for (Type type : op.getResultTypes()) {
    auto shape = extents.shapeOf(type, emitError);
    if (failed(shape))
      return failure();
    auto cache = dyn_cast<CacheType>(type);
    call.results.emplace_back(
        cache ? cache.getElementType() : cast<RankedTensorType>(type).getElementType(), *shape);
  }
  if (failed((*function)(&op, call)))
    return failure();
  if (call.shared) {
    values[op.getResult(0)] = call.shared;
    return success();
  }
  for (auto [value, result] : llvm::zip(op.getResults(), call.results)) {
    result.round(options.precision);
    values[value] = std::make_shared<const Array>(std::move(result));
  }
  return success();
}

LogicalResult Evaluator::evaluateFused(FusedOp op, std::vector<ArrayPtr> operands, Values &values) {
  auto yielded = run(op.getBlock(), std::move(operands));
  if (failed(yielded))
    return failure();
  for (auto [result, array] : llvm::zip(op.getResults(), *yielded))
    values[result] = array;
  return success();
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

std::string nameOf(Attribute attribute, const char *fallback, unsigned index) {
  if (auto name = dyn_cast_or_null<StringAttr>(attribute))
    return name.str();
  return fallback + std::to_string(index);
}

namespace {

/// The array of an argument that the caller left out.
FailureOr<Array> makeDefault(func::FuncOp function, unsigned index, RankedTensorType type,
                             const Extents &extents) {
  auto emitError = [&] {
    return function.emitError() << "input '"
                                << nameOf(function.getArgAttr(index, kNameAttr), "arg", index)
                                << "' ";
  };
  Attribute value = function.getArgAttr(index, kDefaultAttr);
  if (!value)
    return emitError() << "is missing and has no default";
  auto shape = extents.shapeOf(type, emitError);
  if (failed(shape))
    return failure();
  Array array(type.getElementType(), *shape);
  for (int64_t i = 0; i < array.size(); ++i) {
    int64_t element = 0;
    if (auto number = dyn_cast<IntegerAttr>(value))
      element = number.getInt();
    else if (auto symbol = dyn_cast<FlatSymbolRefAttr>(value))
      element = extents.find(symbol.getValue()).value_or(0);
    else
      element = array.shape.empty() ? 0 : i % array.shape.back(); // "iota"
    (array.isFloat() ? void(array.floats[i] = static_cast<double>(element))
                     : void(array.integers[i] = element));
  }
  return array;
}

LogicalResult checkRange(func::FuncOp function, unsigned index, const Array &array,
                         const Extents &extents) {
  auto range = dyn_cast_or_null<DenseI64ArrayAttr>(function.getArgAttr(index, kRangeAttr));
  if (!range)
    return success();
  int64_t end = range[1];
  if (auto limit = function.getArgAttrOfType<FlatSymbolRefAttr>(index, kLimitAttr))
    end = std::min(end, extents.find(limit.getValue()).value_or(end) + 1);
  for (int64_t element : array.integers)
    if (element < range[0] || element >= end)
      return function.emitError() << "input '"
                                  << nameOf(function.getArgAttr(index, kNameAttr), "arg", index)
                                  << "' holds " << element << ", outside [" << range[0] << ", "
                                  << end << ")";
  return success();
}

/// Whether an input of another integer width or float type may stand for `type`: it is converted.
bool converts(Type from, Type to) { return isa<FloatType>(from) == isa<FloatType>(to); }

} // namespace

FailureOr<std::vector<ArrayPtr>> bindInputs(func::FuncOp function, ArrayRef<Type> types,
                                            ArrayRef<NamedArray> inputs, Extents &extents,
                                            const EvaluateOptions &options) {
  std::vector<ArrayPtr> arguments(function.getNumArguments());
  std::vector<std::string> names;
  for (unsigned i = 0; i < arguments.size(); ++i)
    names.push_back(nameOf(function.getArgAttr(i, kNameAttr), "arg", i));
  for (const NamedArray &input : inputs) {
    auto found = llvm::find(names, input.name);
    if (found == names.end())
      return function.emitError() << "has no input named '" << input.name << "'; its inputs are "
                                  << llvm::join(names, ", ");
    unsigned index = found - names.begin();
    auto type = cast<RankedTensorType>(types[index]);
    auto emitError = [&] { return function.emitError() << "input '" << input.name << "' "; };
    if (!converts(input.array->elementType, type.getElementType()))
      return emitError() << "holds " << input.array->elementType << ", expected "
                         << type.getElementType();
    if (failed(extents.bind(type, input.array->shape, emitError)))
      return failure();
    Array array = *input.array;
    array.elementType = type.getElementType();
    array.round(options.precision);
    arguments[index] = std::make_shared<const Array>(std::move(array));
  }
  if (failed(extents.finish(function->getParentOfType<ModuleOp>(),
                            [&] { return function.emitError(); })))
    return failure();
  for (unsigned i = 0; i < arguments.size(); ++i) {
    if (!arguments[i]) {
      auto made = makeDefault(function, i, cast<RankedTensorType>(types[i]), extents);
      if (failed(made))
        return failure();
      arguments[i] = std::make_shared<const Array>(std::move(*made));
    }
    if (failed(checkRange(function, i, *arguments[i], extents)))
      return failure();
  }
  return arguments;
}

FailureOr<std::vector<NamedArray>> evaluate(func::FuncOp function, ArrayRef<NamedArray> inputs,
                                            StateStore &states, const EvaluateOptions &options) {
  if (!function.getBody().hasOneBlock())
    return function.emitError() << "has no body of one block to evaluate";
  Extents extents;
  for (const auto &dim : options.dims)
    extents.set(dim.getKey(), dim.getValue());
  auto arguments = bindInputs(function, function.getArgumentTypes(), inputs, extents, options);
  if (failed(arguments))
    return failure();
  auto results =
      Evaluator(states, options, extents).run(function.getBody().front(), std::move(*arguments));
  if (failed(results))
    return failure();
  std::vector<NamedArray> named;
  for (unsigned i = 0; i < results->size(); ++i)
    named.push_back({nameOf(function.getResultAttr(i, kNameAttr), "result", i), (*results)[i]});
  return named;
}

} // namespace ashlar::interpreter
