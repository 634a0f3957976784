// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rebuilds each function on one rank's part of every tensor.

#include "compiler/Distribution/Partition/Choice.h"
#include "compiler/Distribution/Partition/OpPartition.h"
#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Shardings.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>

using namespace mlir;

namespace ashlar {
#define GEN_PASS_DEF_PARTITIONPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

using namespace ashlar;
using namespace ashlar::dist;
using namespace ashlar::distribution;
using graph::PathTable;

namespace {

/// One rank's form of a whole tensor, in every sharding that was asked for.
struct Local {
  Sharding sharding; // of the first, which the others are made from
  Value value;
  std::map<std::string, Value> others;
};

class FunctionPartitioner {
public:
  FunctionPartitioner(func::FuncOp function, Shardings &shardings, LocalTypes &types, bool report,
                      bool wholeSignature)
      : function(function), shardings(shardings), types(types), mesh(types.getMesh()),
        costs(function->getParentOfType<ModuleOp>(), mesh), paths(function),
        builder(function.getContext()), report(report), wholeSignature(wholeSignature) {}

  LogicalResult run() {
    Block *whole = &function.getBody().front();
    Block *local = builder.createBlock(&function.getBody(), function.getBody().end());
    for (BlockArgument argument : whole->getArguments())
      if (failed(addArgument(argument, local)))
        return failure();
    for (Operation &op : *whole)
      if (failed(partition(&op)))
        return failure();
    whole->dropAllReferences();
    whole->erase();
    function.setFunctionType(builder.getFunctionType(local->getArgumentTypes(),
                                                     local->getTerminator()->getOperandTypes()));
    return success();
  }

private:
  LogicalResult addArgument(BlockArgument argument, Block *block) {
    Sharding sharding = shardings[argument].getClosed();
    if (wholeSignature) {
      Sharding whole(sharding.dims.size());
      auto brought = bring(function, "an argument", argument, whole,
                           block->addArgument(argument.getType(), argument.getLoc()), sharding);
      if (failed(brought))
        return failure();
      locals[argument] = {sharding, *brought, {}};
      for (StringRef name : {kShardingAttr, kPinnedAttr})
        function.removeArgAttr(argument.getArgNumber(), name);
      return success();
    }
    Type type = types.getLocal(cast<RankedTensorType>(argument.getType()), sharding);
    locals[argument] = {sharding, block->addArgument(type, argument.getLoc()), {}};
    setSharding(sharding, [&](ShardingAttr attr) {
      function.setArgAttr(argument.getArgNumber(), kShardingAttr, attr);
    });
    function.removeArgAttr(argument.getArgNumber(), kPinnedAttr);
    return success();
  }

  template <typename Set>
  void setSharding(const Sharding &sharding, Set set) {
    set(getAttr(types.getMeshName(), sharding, mesh));
  }

  LogicalResult partition(Operation *op) {
    if (auto read = dyn_cast<graph::ReadOp>(op))
      return partitionRead(read);
    if (auto write = dyn_cast<graph::WriteOp>(op))
      return partitionWrite(write);
    if (isa<func::ReturnOp>(op))
      return partitionReturn(op);
    if (op->getNumRegions() > 0)
      return op->emitOpError() << "has a region, which cannot be partitioned; partition the graph "
                                  "before it is fused";
    return partitionOp(op);
  }

  graph::StateOp getState(Operation *op, FlatSymbolRefAttr name) {
    return function->getParentOfType<ModuleOp>().lookupSymbol<graph::StateOp>(name.getAttr());
  }

  LogicalResult partitionRead(graph::ReadOp op) {
    Sharding sharding = shardings.ofState(getState(op, op.getStateAttr())).getClosed();
    Type whole = op.getResult().getType();
    auto tensor = dyn_cast<RankedTensorType>(whole);
    Type type = tensor ? types.getLocal(tensor, sharding) : types.getStored(whole, sharding);
    Value value = graph::ReadOp::create(builder, op.getLoc(), type, op.getStateAttr());
    Sharding wanted = getTarget(sharding, shardings[op.getResult()]);
    auto brought = bring(op, "its state", op.getResult(), sharding, value, wanted);
    if (failed(brought))
      return failure();
    locals[op.getResult()] = {wanted, *brought, {}};
    return success();
  }

  LogicalResult partitionWrite(graph::WriteOp op) {
    auto value = get(op, 0, shardings.ofState(getState(op, op.getStateAttr())).getClosed());
    if (failed(value))
      return failure();
    graph::WriteOp::create(builder, op.getLoc(), *value, op.getStateAttr());
    return success();
  }

  LogicalResult partitionReturn(Operation *op) {
    SmallVector<Value> results;
    for (OpOperand &operand : op->getOpOperands()) {
      unsigned index = operand.getOperandNumber();
      Sharding sharding =
          getTarget(locals[operand.get()].sharding, shardings.ofResult(function, index));
      if (wholeSignature)
        sharding = Sharding(sharding.dims.size());
      auto value = get(op, index, sharding);
      if (failed(value))
        return failure();
      results.push_back(*value);
      setSharding(sharding,
                  [&](ShardingAttr attr) { function.setResultAttr(index, kShardingAttr, attr); });
      for (StringRef name : {kPinnedAttr, kShardingAttr})
        if (name == kPinnedAttr || wholeSignature)
          function.removeResultAttr(index, StringAttr::get(op->getContext(), name));
    }
    func::ReturnOp::create(builder, op->getLoc(), results);
    return success();
  }

  LogicalResult partitionOp(Operation *op) {
    graph::ShardingRule rule = getRule(op);
    SmallVector<Sharding, 0> has, wanted;
    for (Value operand : op->getOperands())
      has.push_back(locals[operand].sharding);
    for (Value result : op->getResults())
      wanted.push_back(shardings[result]);
    FactorAxes axes = chooseFactorAxes(op, rule, has, wanted, costs);
    SmallVector<Value> operands;
    for (auto [i, factors] : llvm::enumerate(rule.operands)) {
      auto value = get(op, i, getTensorSharding(rule, factors, axes));
      if (failed(value))
        return failure();
      operands.push_back(*value);
    }
    auto results = buildLocal(op, rule, axes, operands, builder, types, paths,
                              [&](CollectiveOpInterface made) { reportInside(op, made); });
    if (failed(results))
      return failure();
    for (auto [whole, factors, value, want] :
         llvm::zip(op->getResults(), rule.results, *results, wanted)) {
      Sharding produced = getProduced(rule, factors, axes), target = getTarget(produced, want);
      auto brought = bring(op, "its result", whole, produced, value, target);
      if (failed(brought))
        return failure();
      locals[whole] = {target, *brought, {}};
    }
    return success();
  }

  /// An operand as the op needs it; made once for all ops that need it so.
  FailureOr<Value> get(Operation *op, unsigned operand, const Sharding &sharding) {
    Value whole = op->getOperand(operand);
    Local &local = locals[whole];
    if (local.sharding.getClosed() == sharding)
      return local.value;
    Value &other = local.others[toString(sharding, mesh)];
    if (!other) {
      auto made = bring(op, "operand " + std::to_string(operand), whole, local.sharding,
                        local.value, sharding);
      if (failed(made))
        return failure();
      other = *made;
    }
    return other;
  }

  FailureOr<Value> bring(Operation *op, const std::string &what, Value whole, const Sharding &from,
                         Value value, const Sharding &to) {
    auto tensor = dyn_cast<RankedTensorType>(whole.getType());
    if (!tensor) {
      if (from.getClosed() == to.getClosed())
        return value;
      return op->emitOpError() << "needs " << what << ", a cache, as " << toString(to, mesh)
                               << ", but it lies as " << toString(from, mesh)
                               << "; a cache stays where it is: pin its state to that";
    }
    if (!to.partial.empty() &&
        (from.reduction != to.reduction || !llvm::all_of(to.partial, [&](const Axis &axis) {
           return llvm::is_contained(from.partial, axis);
         })))
      return op->emitOpError() << "cannot give " << what << " as " << toString(to, mesh)
                               << ": it lies as " << toString(from, mesh)
                               << ", and no collective makes summands of a whole; pin a tensor as "
                                  "partial only where a reduced dimension is cut so";
    Sharding at = from;
    Location loc = whole.getLoc();
    StringRef path = graph::getPath(loc);
    for (const ReshardStep &step : planReshard(from, to, LocalTypes::getNumbers(tensor))) {
      if (!path.empty())
        loc = graph::withPath(loc, paths.take((path + "." + toString(step.kind)).str()));
      value = build(step, at, value, types.getLocal(tensor, step.result), loc);
      StepCost cost = costs.getStep(tensor, at, step);
      if (report && step.kind != ReshardStep::Kind::AllSlice)
        reportCollective(loc, toString(step.kind), step.axes, cost)
            << what << " of '" << op->getName() << "' lies as " << toString(from, mesh)
            << " and is needed as " << toString(to, mesh);
      at = step.result;
    }
    return value;
  }

  /// A collective that the op itself asked for.
  void reportInside(Operation *op, CollectiveOpInterface made) {
    if (!report)
      return;
    RankedTensorType type = made.getOutputType();
    Axes axes = getAxes(made.getAxes(), mesh);
    double bytes = costs.getBytes(type, Sharding(type.getRank()));
    reportCollective(made->getLoc(), made->getName().stripDialect(), axes,
                     {bytes, costs.getSeconds(CollectiveKind::AllReduce, bytes, axes)})
        << "'" << op->getName() << "' combines what is cut";
  }

  InFlightDiagnostic reportCollective(Location loc, StringRef name, ArrayRef<Axis> axes,
                                      const StepCost &cost) {
    return emitRemark(loc) << name << " over [" << mesh.toString(axes) << "] of '"
                           << graph::getPath(loc) << "': " << static_cast<int64_t>(cost.bytes)
                           << " bytes, " << llvm::formatv("{0:F2}", cost.seconds * 1e6).str()
                           << " us; ";
  }

  Value build(const ReshardStep &step, const Sharding &before, Value x, Type type, Location loc) {
    StringRef name = types.getMeshName().getValue();
    AxesAttr axes = getAttr(builder.getContext(), step.axes, mesh);
    auto reduction = static_cast<ReductionKind>(before.reduction);
    switch (step.kind) {
    case ReshardStep::Kind::AllReduce:
      return AllReduceOp::create(builder, loc, type, reduction, x, name, axes);
    case ReshardStep::Kind::ReduceScatter:
      return ReduceScatterOp::create(builder, loc, type, reduction, x, name, axes, step.dim);
    case ReshardStep::Kind::AllGather:
      return AllGatherOp::create(builder, loc, type, x, name, axes, step.dim);
    case ReshardStep::Kind::AllToAll:
      return AllToAllOp::create(builder, loc, type, x, name, axes, step.dim, step.from);
    case ReshardStep::Kind::AllSlice:
      return AllSliceOp::create(builder, loc, type, x, name, axes, step.dim);
    }
    llvm_unreachable("a step without an op");
  }

  func::FuncOp function;
  Shardings &shardings;
  LocalTypes &types;
  const Mesh &mesh;
  Costs costs;
  PathTable paths;
  OpBuilder builder;
  bool report, wholeSignature;
  llvm::DenseMap<Value, Local> locals;
};

/// Kernels walk a state by its own strides, so that only its rows may be fewer on some ranks. What
/// is asked for beyond that is kept whole, and said.
void keepEven(ModuleOp module, Shardings &shardings) {
  for (auto state : module.getOps<graph::StateOp>()) {
    Sharding &sharding = shardings.ofState(state);
    auto tensor = dyn_cast<RankedTensorType>(state.getType());
    for (size_t d = 1; tensor && d < sharding.dims.size(); ++d) {
      DimSharding &dim = sharding.dims[d];
      if (tensor.getDimSize(d) % getParts(dim.axes) == 0)
        continue;
      state.emitRemark() << "dimension " << d << " of '" << state.getSymName() << "', "
                         << tensor.getDimSize(d) << " is not cut over ["
                         << shardings.getMesh().toString(dim.axes)
                         << "]: the parts would not be equal, which only rows may be";
      dim.axes.clear();
    }
  }
}

/// What each rank keeps of the states.
void partitionStates(ModuleOp module, Shardings &shardings, LocalTypes &types) {
  for (auto state : module.getOps<graph::StateOp>()) {
    Sharding sharding = shardings.ofState(state).getClosed();
    state->removeAttr(kPinnedAttr);
    state->setAttr(kShardingAttr, getAttr(types.getMeshName(), sharding, types.getMesh()));
    Type stored = types.getStored(state.getType(), sharding);
    if (stored == state.getType())
      continue;
    state->setAttr(kGlobalTypeAttr, TypeAttr::get(state.getType()));
    state.setType(stored);
  }
}

struct PartitionModule : ashlar::impl::PartitionPassBase<PartitionModule> {
  using PartitionPassBase::PartitionPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    MeshOp mesh = findMesh(module);
    if (!mesh) {
      module.emitError() << "has no dist.mesh to be partitioned over";
      return signalPassFailure();
    }
    Shardings shardings(module);
    if (forPrograms)
      keepEven(module, shardings);
    LocalTypes types(mesh);
    SmallVector<func::FuncOp> functions(module.getOps<func::FuncOp>());
    for (func::FuncOp function : functions)
      if (!function.isExternal() &&
          failed(FunctionPartitioner(function, shardings, types, report, forPrograms).run()))
        return signalPassFailure();
    partitionStates(module, shardings, types);
  }
};

} // namespace
