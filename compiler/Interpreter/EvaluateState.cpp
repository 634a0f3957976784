// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// States, their reads and writes, and constants.

#include "compiler/Interpreter/Evaluation.h"

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::interpreter {

FailureOr<ArrayPtr> StateStore::get(StateOp state) {
  auto found = values.find(state.getSymName().str());
  if (found != values.end())
    return found->second;
  FailureOr<ArrayPtr> value = failure();
  if (state.getRole() == StateRole::Parameter) {
    if (!parameters)
      return state.emitError() << "parameter @" << state.getSymName()
                               << " has no value: no weights were given";
    value = parameters(state);
  } else {
    auto cache = dyn_cast<CacheType>(state.getType());
    value = std::make_shared<const Array>(
        cache ? Array(cache.getElementType(), cache.getShape())
              : Array(cast<RankedTensorType>(state.getType()).getElementType(),
                      cast<RankedTensorType>(state.getType()).getShape()));
  }
  if (succeeded(value))
    values[state.getSymName().str()] = *value;
  return value;
}

void StateStore::resetSession(ModuleOp module) {
  for (auto state : module.getOps<StateOp>())
    if (state.getScope() == StateScope::Session)
      values.erase(state.getSymName().str());
}

namespace {

FailureOr<StateOp> stateOf(Operation *op, FlatSymbolRefAttr name) {
  auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(op, name);
  if (!state)
    return op->emitOpError() << "names " << name << ", which is no graph.state";
  return state;
}

/// Copies the first elements, as many as `part` has in each dimension, between an array that holds
/// just them and one that may hold more.
void copyFirst(const std::vector<int64_t> &part, Array &to, const Array &from) {
  auto offset = [](int64_t i, const std::vector<int64_t> &part, const std::vector<int64_t> &shape) {
    int64_t at = 0, stride = 1;
    for (size_t d = shape.size(); d-- > 0; i /= part[d], stride *= shape[d])
      at += i % part[d] * stride;
    return at;
  };
  int64_t count = 1;
  for (int64_t extent : part)
    count *= extent;
  for (int64_t i = 0; i < count; ++i)
    to.copyElement(offset(i, part, to.shape), from, offset(i, part, from.shape));
}

LogicalResult evaluateRead(ReadOp op, Call &call) {
  auto state = stateOf(op, op.getStateAttr());
  if (failed(state))
    return failure();
  auto value = call.states.get(*state);
  if (failed(value))
    return failure();
  Array &result = call.result(0);
  if ((*value)->shape == result.shape) {
    call.shared = *value;
    return success();
  }
  copyFirst(result.shape, result, **value);
  return success();
}

LogicalResult evaluateWrite(WriteOp op, Call &call) {
  auto state = stateOf(op, op.getStateAttr());
  if (failed(state))
    return failure();
  auto before = call.states.get(*state);
  if (failed(before))
    return failure();
  Array after = **before;
  copyFirst(call.operand(0).shape, after, call.operand(0));
  call.states.set(state->getSymName(), std::make_shared<const Array>(std::move(after)));
  return success();
}

} // namespace

void registerStateOps(Evaluations &table) {
  table.add<ReadOp>(evaluateRead);
  table.add<WriteOp>(evaluateWrite);
  table.add<ConstantOp>([](ConstantOp op, Call &call) {
    call.result(0) = Array::fromConstant(op.getValue());
    return success();
  });
}

} // namespace ashlar::interpreter
