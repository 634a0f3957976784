// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Shardings.h"

#include "dialects/Graph/GraphPaths.h"

using namespace mlir;
using namespace ashlar::dist;
using ashlar::graph::ReadOp;
using ashlar::graph::ShardingRule;
using ashlar::graph::StateOp;
using ashlar::graph::WriteOp;

namespace ashlar::distribution {

Shardings::Shardings(ModuleOp module)
    : module(module), meshOp(findMesh(module)), mesh(meshOp.getMesh()) {
  for (auto state : module.getOps<StateOp>()) {
    states[state] = add("", state.getSymName().str(), state.getType(),
                        state->getAttr(kShardingAttr), state->getAttr(kPinnedAttr));
    tensors.back().isState = true;
  }
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal())
      addFunction(function);
}

unsigned Shardings::add(StringRef function, std::string path, Type type, Attribute sharding,
                        Attribute priority) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  size_t rank = tensor ? tensor.getRank() : 4;
  Tensor made{function.str(), std::move(path), type, Sharding(rank, /*isOpen=*/true), std::nullopt,
              false};
  if (auto attr = dyn_cast_or_null<ShardingAttr>(sharding))
    made.sharding = getSharding(attr, mesh);
  if (auto pin = dyn_cast_or_null<IntegerAttr>(priority))
    made.priority = pin.getInt();
  tensors.push_back(std::move(made));
  return tensors.size() - 1;
}

/// Two tensors that are one, dimension by dimension.
void Shardings::relate(unsigned a, unsigned b) {
  Relation relation{{}, {a}, {b}, true, nullptr};
  ShardingRule::TensorFactors factors;
  for (size_t i = 0; i < tensors[a].sharding.dims.size(); ++i) {
    auto tensor = dyn_cast<RankedTensorType>(tensors[b].type);
    graph::Dim size =
        tensor ? graph::getDims(tensor)[i]
               : graph::Dim::number(cast<graph::CacheType>(tensors[b].type).getShape()[i]);
    factors.push_back({relation.rule.add(size)});
  }
  relation.rule.operands.push_back(factors);
  relation.rule.results.push_back(factors);
  relations.push_back(std::move(relation));
}

void Shardings::addFunction(func::FuncOp function) {
  for (auto [i, argument] : llvm::enumerate(function.getArguments()))
    ofValue[argument] =
        add(function.getSymName(), graph::getPath(argument.getLoc()).str(), argument.getType(),
            function.getArgAttr(i, kShardingAttr), function.getArgAttr(i, kPinnedAttr));
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    auto name = function.getResultAttrOfType<StringAttr>(i, graph::kNameAttr);
    results[{function, i}] =
        add(function.getSymName(), "result:" + (name ? name.str() : std::to_string(i)), type,
            function.getResultAttr(i, kShardingAttr), function.getResultAttr(i, kPinnedAttr));
  }
  SymbolTable symbols(module);
  for (Operation &op : function.getBody().front()) {
    auto shardings = op.getAttrOfType<ArrayAttr>(kShardingsAttr);
    for (OpResult result : op.getResults())
      ofValue[result] = add(
          function.getSymName(), graph::getPath(op.getLoc()).str(), result.getType(),
          shardings ? shardings[result.getResultNumber()] : Attribute(), op.getAttr(kPinnedAttr));
    if (auto read = dyn_cast<ReadOp>(op)) {
      relate(states.lookup(symbols.lookup(read.getState())), ofValue.lookup(read.getResult()));
      continue;
    }
    if (auto write = dyn_cast<WriteOp>(op)) {
      relate(ofValue.lookup(write.getValue()), states.lookup(symbols.lookup(write.getState())));
      continue;
    }
    if (isa<func::ReturnOp>(op)) {
      for (OpOperand &operand : op.getOpOperands())
        relate(ofValue.lookup(operand.get()),
               results.lookup({function, operand.getOperandNumber()}));
      continue;
    }
    Relation relation{getRule(&op), {}, {}, true, &op};
    for (Value operand : op.getOperands())
      relation.operands.push_back(ofValue.lookup(operand));
    for (Value result : op.getResults())
      relation.results.push_back(ofValue.lookup(result));
    for (const ShardingRule::Factor &factor : relation.rule.factors)
      relation.passesThrough &= factor.combine == ShardingRule::Combine::None &&
                                factor.cut != ShardingRule::Cut::Partition;
    relations.push_back(std::move(relation));
  }
}

void Shardings::write() {
  auto name = FlatSymbolRefAttr::get(meshOp);
  auto saysSomething = [](const Sharding &sharding) {
    return sharding != Sharding(sharding.dims.size(), /*isOpen=*/true);
  };
  auto attr = [&](unsigned tensor) { return getAttr(name, tensors[tensor].sharding, mesh); };
  for (auto state : module.getOps<StateOp>())
    if (unsigned number = states.lookup(state); saysSomething(tensors[number].sharding))
      state->setAttr(kShardingAttr, attr(number));
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    for (auto [i, argument] : llvm::enumerate(function.getArguments()))
      if (unsigned number = ofValue.lookup(argument); saysSomething(tensors[number].sharding))
        function.setArgAttr(i, kShardingAttr, attr(number));
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (unsigned number = results.lookup({function, i}); saysSomething(tensors[number].sharding))
        function.setResultAttr(i, kShardingAttr, attr(number));
    for (Operation &op : function.getBody().front()) {
      SmallVector<Attribute> shardings;
      bool any = false;
      for (Value result : op.getResults()) {
        any |= saysSomething((*this)[result]);
        shardings.push_back(attr(ofValue.lookup(result)));
      }
      if (any)
        op.setAttr(kShardingsAttr, ArrayAttr::get(op.getContext(), shardings));
    }
  }
}

} // namespace ashlar::distribution
