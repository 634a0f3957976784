// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/Collectives.h"

#include "compiler/Distribution/Plan/Conventions.h"
#include "compiler/Pipelines/KernelTable.h"

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

LogicalResult createCollective(OpBuilder &builder, Operation *op, OperandAttr input,
                               OperandAttr output, OperandAttr workspace, bool isPacked) {
  using program::CollectiveKind;
  MLIRContext *context = op->getContext();
  auto module = op->getParentOfType<ModuleOp>();
  Mesh mesh = findMesh(module).getMesh();
  CollectiveKind kind;
  auto reduction = program::Reduction::Sum;
  int64_t axis = 0, join = 0;
  AxesAttr axes;
  program::ExtentAttr whole;
  IntegerAttr peer;
  bool isDelivery = false;
  auto setReduction = [&](ReductionKind from) {
    reduction = static_cast<program::Reduction>(static_cast<int>(from) - 1);
  };
  if (auto reduce = dyn_cast<AllReduceOp>(op)) {
    kind = CollectiveKind::AllReduce;
    setReduction(reduce.getReduction());
    axes = reduce.getAxes();
  } else if (auto scatter = dyn_cast<ReduceScatterOp>(op)) {
    kind = CollectiveKind::ReduceScatter;
    setReduction(scatter.getReduction());
    axes = scatter.getAxes();
    axis = scatter.getAxis();
  } else if (auto gather = dyn_cast<AllGatherOp>(op)) {
    kind = CollectiveKind::AllGather;
    axes = gather.getAxes();
    axis = gather.getAxis();
  } else if (auto exchange = dyn_cast<AllToAllOp>(op)) {
    kind = CollectiveKind::AllToAll;
    axes = exchange.getAxes();
    axis = exchange.getSplit();
    join = exchange.getJoin();
  } else if (auto slice = dyn_cast<AllSliceOp>(op)) {
    kind = CollectiveKind::Slice;
    axes = slice.getAxes();
    axis = slice.getAxis();
  } else if (auto origin = dyn_cast<ShardOriginOp>(op)) {
    kind = CollectiveKind::Origin;
    axes = origin.getAxes();
    auto number = dyn_cast<IntegerAttr>(origin.getDim());
    whole = toExtentAttr(
        context, number ? graph::Dim::number(number.getInt())
                        : graph::Dim::named(cast<FlatSymbolRefAttr>(origin.getDim()).getAttr()));
  } else if (auto send = dyn_cast<SendOp>(op)) {
    kind = CollectiveKind::Send;
    axes = send.getAxes();
    peer = send.getPeerAttr();
    isDelivery = send.getDelivery();
  } else if (auto recv = dyn_cast<RecvOp>(op)) {
    kind = CollectiveKind::Recv;
    axes = recv.getAxes();
    peer = recv.getPeerAttr();
    isDelivery = recv.getDelivery();
  } else {
    return op->emitOpError()
           << "is not run by the runtime yet, which takes all_reduce, reduce_scatter, all_gather, "
              "all_to_all, send and recv";
  }
  auto result = op->getNumResults() ? dist::getOutputType(op) : getType(op->getOperand(0));
  auto getShape = [&](Type type) {
    SmallVector<Attribute> shape;
    for (const graph::Dim &dim : graph::getDims(cast<RankedTensorType>(type)))
      shape.push_back(toExtentAttr(context, dim));
    return builder.getArrayAttr(shape);
  };
  program::CollectiveOp::create(
      builder, op->getLoc(), program::CollectiveKindAttr::get(context, kind),
      program::ReductionAttr::get(context, reduction), TypeAttr::get(result.getElementType()),
      builder.getDenseI64ArrayAttr(getCuts(getAxes(axes, mesh), mesh)),
      builder.getI64IntegerAttr(axis), builder.getI64IntegerAttr(join), input, output, workspace,
      input ? getShape(op->getOperand(0).getType()) : builder.getArrayAttr({}),
      output ? getShape(result) : builder.getArrayAttr({}), whole, peer,
      isDelivery ? builder.getUnitAttr() : UnitAttr(),
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
    auto number = dyn_cast<IntegerAttr>(local.getWhole());
    whole = toExtentAttr(
        dim.getContext(),
        number ? graph::Dim::number(number.getInt())
               : graph::Dim::named(cast<FlatSymbolRefAttr>(local.getWhole()).getAttr()));
    Mesh mesh = findMesh(dim->getParentOfType<ModuleOp>()).getMesh();
    cuts = builder.getDenseI64ArrayAttr(getCuts(getAxes(local.getAxes(), mesh), mesh));
  }
  program::DimOp::create(builder, dim.getLoc(), dim.getSymNameAttr(), dim.getMinimumAttr(),
                         dim.getMaximumAttr(), whole, cuts);
  dim.erase();
}

} // namespace ashlar
