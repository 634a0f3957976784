// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/Collectives.h"

#include "compiler/Distribution/Plan/Conventions.h"
#include "compiler/Pipelines/KernelTable.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace ashlar {

using namespace dist;
using program::OperandAttr;

bool isRankOp(Operation *op) {
  return isa<CollectiveOpInterface, AllSliceOp, ShardOriginOp, WaitOp>(op);
}

bool isStarted(Operation *op) {
  auto collective = dyn_cast<CollectiveOpInterface>(op);
  return collective && collective.isStarted();
}

Value getAwaited(Operation *op) {
  return isStarted(op) ? cast<WaitOp>(*op->getResult(0).user_begin()).getResult() : Value();
}

Value getGiven(Operation *op) {
  if (Value awaited = getAwaited(op))
    return awaited;
  return op->getNumResults() ? op->getResult(0) : Value();
}

/// Pairs (stride, size).
static SmallVector<int64_t> getCuts(llvm::ArrayRef<Axis> axes, const Mesh &mesh) {
  SmallVector<int64_t> cuts;
  for (const Axis &axis : axes)
    cuts.append({mesh.getStride(axis), axis.size});
  return cuts;
}

static RankedTensorType getType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether dimensions before `axis` make its parts several runs of bytes.
static bool isStrided(RankedTensorType type, int64_t axis) {
  for (int64_t dim = 0; dim < axis; ++dim)
    if (type.getDimSize(dim) != 1)
      return true;
  return false;
}

bool isSentLater(Operation *op) {
  if (!isa<SendOp>(op))
    return false;
  MeshOp mesh = findMesh(op->getParentOfType<ModuleOp>());
  return mesh && mesh->hasAttr(kChunksAttr);
}

int64_t getWorkspaceBytes(Operation *op, bool isPacked,
                          llvm::function_ref<int64_t(StringAttr)> bound) {
  auto bytes = [&](RankedTensorType type) {
    // What is packed begins at a cache line.
    return llvm::alignTo(static_cast<int64_t>(graph::getByteSize(type).evaluate(bound)), 64);
  };
  RankedTensorType result = dist::getOutputType(op); // also where it is pending
  if (auto gather = dyn_cast<AllGatherOp>(op))
    return isPacked || isStrided(result, gather.getAxis()) ? bytes(result) : 0;
  if (auto scatter = dyn_cast<ReduceScatterOp>(op))
    return isStrided(getType(scatter.getX()), scatter.getAxis()) ? bytes(getType(scatter.getX()))
                                                                 : 0;
  if (auto exchange = dyn_cast<AllToAllOp>(op))
    return bytes(getType(exchange.getX())) + bytes(result);
  return 0;
}

/// Of a dimension that is given as a number or as a symbol.
static program::ExtentAttr getExtent(Attribute dim) {
  auto number = dyn_cast<IntegerAttr>(dim);
  return toExtentAttr(dim.getContext(),
                      number ? graph::Dim::number(number.getInt())
                             : graph::Dim::named(cast<FlatSymbolRefAttr>(dim).getAttr()));
}

static program::Reduction getReduction(ReductionKind kind) {
  return static_cast<program::Reduction>(static_cast<int>(kind) - 1);
}

namespace {

/// What a record says of an op beside its operand and result.
struct Collective {
  program::CollectiveKind kind;
  AxesAttr axes;
  uint64_t axis = 0, join = 0;
  program::Reduction reduction = program::Reduction::Sum;
  program::ExtentAttr whole = {};
  IntegerAttr peer = {};
  bool isDelivery = false;
};

} // namespace

/// Nothing for what no runtime has.
static std::optional<Collective> describe(Operation *op) {
  using program::CollectiveKind;
  using Result = std::optional<Collective>;
  auto describeMessage = [](auto op, CollectiveKind kind) {
    Collective message{kind, op.getAxes()};
    message.peer = op.getPeerAttr();
    message.isDelivery = op.getDelivery();
    return message;
  };
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([](AllReduceOp op) -> Result {
        return Collective{CollectiveKind::AllReduce, op.getAxes(), /*axis=*/0, /*join=*/0,
                          getReduction(op.getReduction())};
      })
      .Case([](ReduceScatterOp op) -> Result {
        return Collective{CollectiveKind::ReduceScatter, op.getAxes(), op.getAxis(), /*join=*/0,
                          getReduction(op.getReduction())};
      })
      .Case([](AllGatherOp op) -> Result {
        return Collective{CollectiveKind::AllGather, op.getAxes(), op.getAxis()};
      })
      .Case([](AllToAllOp op) -> Result {
        return Collective{CollectiveKind::AllToAll, op.getAxes(), op.getSplit(), op.getJoin()};
      })
      .Case([](AllSliceOp op) -> Result {
        return Collective{CollectiveKind::Slice, op.getAxes(), op.getAxis()};
      })
      .Case([](ShardOriginOp op) -> Result {
        Collective origin{CollectiveKind::Origin, op.getAxes()};
        origin.whole = getExtent(op.getDim());
        return origin;
      })
      .Case([&](SendOp op) -> Result { return describeMessage(op, CollectiveKind::Send); })
      .Case([&](RecvOp op) -> Result { return describeMessage(op, CollectiveKind::Recv); })
      .Default([](Operation *) -> Result { return std::nullopt; });
}

LogicalResult createCollective(OpBuilder &builder, Operation *op, OperandAttr input,
                               OperandAttr output, OperandAttr workspace, bool isPacked) {
  MLIRContext *context = op->getContext();
  Mesh mesh = findMesh(op->getParentOfType<ModuleOp>()).getMesh();
  std::optional<Collective> collective = describe(op);
  if (!collective)
    return op->emitOpError()
           << "is not run by the runtime yet, which takes all_reduce, reduce_scatter, all_gather, "
              "all_to_all, send and recv";
  auto result = op->getNumResults() ? dist::getOutputType(op) : getType(op->getOperand(0));
  auto getShape = [&](Type type) {
    SmallVector<Attribute> shape;
    for (const graph::Dim &dim : graph::getDims(cast<RankedTensorType>(type)))
      shape.push_back(toExtentAttr(context, dim));
    return builder.getArrayAttr(shape);
  };
  program::CollectiveOp::create(
      builder, op->getLoc(), program::CollectiveKindAttr::get(context, collective->kind),
      program::ReductionAttr::get(context, collective->reduction),
      TypeAttr::get(result.getElementType()),
      builder.getDenseI64ArrayAttr(getCuts(getAxes(collective->axes, mesh), mesh)),
      builder.getI64IntegerAttr(collective->axis), builder.getI64IntegerAttr(collective->join),
      input, output, workspace,
      input ? getShape(op->getOperand(0).getType()) : builder.getArrayAttr({}),
      output ? getShape(result) : builder.getArrayAttr({}), collective->whole, collective->peer,
      collective->isDelivery ? builder.getUnitAttr() : UnitAttr(),
      isStarted(op) || isSentLater(op) ? builder.getUnitAttr() : UnitAttr(),
      program::LayoutAttr::get(context,
                               isPacked ? program::Layout::PanelF32 : program::Layout::Plain));
  return success();
}

program::ShardAttr getShard(graph::StateOp state) {
  auto global = state->getAttrOfType<TypeAttr>(kGlobalTypeAttr);
  auto tensor = dyn_cast<RankedTensorType>(global ? global.getValue() : state.getType());
  if (!tensor || (!global && !state.getWhole()))
    return {};
  ArrayRef<int64_t> range, begin, whole = tensor.getShape();
  if (state.getWhole()) {
    range = whole;
    begin = *state.getBegin();
    whole = *state.getWhole();
  }
  if (!global)
    return program::ShardAttr::get(state.getContext(), whole, {}, {}, range, begin);
  Mesh mesh = findMesh(state->getParentOfType<ModuleOp>()).getMesh();
  Sharding sharding = getSharding(state->getAttrOfType<ShardingAttr>(kShardingAttr), mesh);
  SmallVector<int64_t> dims, cuts;
  for (auto [d, dim] : llvm::enumerate(sharding.dims)) {
    dims.append(dim.axes.size(), static_cast<int64_t>(d));
    cuts.append(getCuts(dim.axes, mesh));
  }
  return program::ShardAttr::get(state.getContext(), whole, dims, cuts, range, begin);
}

void lowerMesh(ModuleOp module) {
  MeshOp mesh = findMesh(module);
  if (!mesh)
    return;
  OpBuilder builder(mesh);
  DenseI64ArrayAttr stages;
  if (llvm::any_of(module.getOps<program::EntryOp>(),
                   [](program::EntryOp entry) { return entry.getStage().has_value(); })) {
    Mesh axes = mesh.getMesh();
    stages = builder.getDenseI64ArrayAttr(getCuts({axes.getWhole(distribution::kStageAxis)}, axes));
  }
  program::MeshOp::create(builder, mesh.getLoc(), mesh.getNames(), mesh.getSizesAttr(), stages);
  mesh.erase();
}

void lowerDim(graph::DimOp dim) {
  OpBuilder builder(dim);
  program::ExtentAttr whole;
  DenseI64ArrayAttr cuts;
  if (auto local = dim->getAttrOfType<LocalDimAttr>(kLocalAttr)) {
    whole = getExtent(local.getWhole());
    Mesh mesh = findMesh(dim->getParentOfType<ModuleOp>()).getMesh();
    cuts = builder.getDenseI64ArrayAttr(getCuts(getAxes(local.getAxes(), mesh), mesh));
  }
  program::DimOp::create(builder, dim.getLoc(), dim.getSymNameAttr(), dim.getMinimumAttr(),
                         dim.getMaximumAttr(), whole, cuts);
  dim.erase();
}

} // namespace ashlar
