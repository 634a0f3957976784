// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect, and the checks of attributes that other dialects' ops carry.

#include "dialects/Dist/LocalTypes.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ashlar;
using namespace ashlar::dist;

#include "dialects/Dist/DistBase.cpp.inc"
#include "dialects/Dist/DistDialect.cpp.inc"
#include "dialects/Dist/DistEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Dist/DistAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Dist/DistTypes.cpp.inc"

void DistDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Dist/DistAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Dist/DistTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Dist/DistOps.cpp.inc"
      >();
}

MeshOp dist::findMesh(ModuleOp module) {
  auto meshes = module.getOps<MeshOp>();
  return meshes.empty() ? MeshOp() : *meshes.begin();
}

/// The mesh that an attribute names, or null after an error.
static MeshOp lookUpMesh(Operation *op, FlatSymbolRefAttr name) {
  auto mesh = SymbolTable::lookupNearestSymbolFrom<MeshOp>(op, name);
  if (!mesh)
    op->emitOpError() << "names " << name << ", which is no dist.mesh of this module";
  return mesh;
}

static LogicalResult verifySharding(Operation *op, StringRef what, Attribute attribute, Type type) {
  auto sharding = dyn_cast<ShardingAttr>(attribute);
  if (!sharding)
    return op->emitOpError() << what << " carries " << attribute << ", expected a #dist.sharding";
  MeshOp meshOp = lookUpMesh(op, sharding.getMesh());
  if (!meshOp)
    return failure();
  Mesh mesh = meshOp.getMesh();
  std::string error = check(getSharding(sharding, mesh), mesh);
  if (!error.empty())
    return op->emitOpError() << what << " has the sharding " << sharding << ": " << error;
  size_t rank = 4;
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    rank = tensor.getRank();
  else if (!isa<graph::CacheType>(type))
    return op->emitOpError() << what << " of type " << type << " has a sharding; only tensors do";
  if (sharding.getDims().size() != rank)
    return op->emitOpError() << what << " of " << rank << " dimensions has a sharding of "
                             << sharding.getDims().size();
  return success();
}

static LogicalResult verifyPriority(Operation *op, Attribute attribute) {
  if (isa<IntegerAttr>(attribute))
    return success();
  return op->emitOpError() << "'" << kPinnedAttr << "' is a priority, a number, found "
                           << attribute;
}

/// A state that holds a part keeps the largest part of each dimension.
static LogicalResult verifyGlobalType(graph::StateOp state, Attribute attribute) {
  auto whole = dyn_cast<TypeAttr>(attribute);
  auto sharding = state->getAttrOfType<ShardingAttr>(kShardingAttr);
  if (!whole || !sharding)
    return state.emitOpError() << "'" << kGlobalTypeAttr << "' is a type, beside a sharding";
  MeshOp mesh = lookUpMesh(state, sharding.getMesh());
  if (!mesh || failed(verifySharding(state, "the state", sharding, whole.getValue())))
    return failure();
  Type stored = LocalTypes(mesh).getStored(whole.getValue(), getSharding(sharding, mesh.getMesh()));
  if (stored == state.getType())
    return success();
  return state.emitOpError() << "is " << state.getType() << ", but of " << whole.getValue()
                             << " a rank keeps " << stored;
}

static LogicalResult verifyRanks(Operation *op, Attribute attribute) {
  auto ranks = dyn_cast<DenseI64ArrayAttr>(attribute);
  auto module = op->getParentOfType<ModuleOp>();
  MeshOp mesh = module ? findMesh(module) : MeshOp();
  if (!ranks || !mesh || !isa<func::FuncOp>(op))
    return op->emitOpError()
           << "'" << kRanksAttr
           << "' is an array<i64: ...> of ranks on a function, beside a dist.mesh";
  for (int64_t rank : ranks.asArrayRef())
    if (rank < 0 || rank >= mesh.getMesh().getRankCount())
      return op->emitOpError() << "runs on rank " << rank << ", outside the mesh of "
                               << mesh.getMesh().getRankCount();
  return success();
}

LogicalResult DistDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  StringRef name = attribute.getName().getValue();
  if (name == kShardingsAttr) {
    auto list = dyn_cast<ArrayAttr>(attribute.getValue());
    if (!list || list.size() != op->getNumResults())
      return op->emitOpError() << "carries '" << name << "' that is not one sharding per result";
    for (auto [sharding, type] : llvm::zip(list, op->getResultTypes()))
      if (failed(verifySharding(op, "a result", sharding, type)))
        return failure();
    return success();
  }
  if (name == kShardingAttr || name == kGlobalTypeAttr) {
    auto state = dyn_cast<graph::StateOp>(op);
    if (!state)
      return op->emitOpError() << "carries '" << name << "', which belongs to a graph.state";
    if (name == kShardingAttr)
      return verifySharding(op, "the state", attribute.getValue(), state.getType());
    return verifyGlobalType(state, attribute.getValue());
  }
  if (name == kLocalAttr) {
    auto local = dyn_cast<LocalDimAttr>(attribute.getValue());
    if (!local || !isa<graph::DimOp>(op))
      return op->emitOpError() << "'" << name << "' is a #dist.local_dim on a graph.dim";
    auto whole = dyn_cast<FlatSymbolRefAttr>(local.getWhole());
    if (!isa<IntegerAttr>(local.getWhole()) &&
        (!whole || !SymbolTable::lookupNearestSymbolFrom<graph::DimOp>(op, whole)))
      return op->emitOpError() << "is a part of " << local.getWhole()
                               << ", which is neither a number nor a graph.dim of this module";
    MeshOp mesh = lookUpMesh(op, local.getMesh());
    if (!mesh)
      return failure();
    Sharding part(1);
    part.dims[0].axes = getAxes(local.getAxes(), mesh.getMesh());
    if (std::string error = check(part, mesh.getMesh()); !error.empty())
      return op->emitOpError() << "is cut wrongly: " << error;
    return success();
  }
  if (name == kRanksAttr)
    return verifyRanks(op, attribute.getValue());
  if (name == kStageAttr) {
    auto stage = dyn_cast<StageAttr>(attribute.getValue());
    if (!stage || stage.getIndex() < 0 || !op->hasAttr(kRanksAttr))
      return op->emitOpError() << "'" << name << "' is a #dist.stage<entry, number>, beside '"
                               << kRanksAttr << "'";
    return success();
  }
  if (name == kMicrobatchesAttr) {
    auto count = dyn_cast<IntegerAttr>(attribute.getValue());
    if (!count || !count.getType().isInteger(64) || count.getInt() < 1 ||
        count.getInt() > kMostMicrobatches || !(isa<MeshOp>(op) || op->hasAttr(kBatchAttr)))
      return op->emitOpError() << "'" << name << "' is an I64 from 1 to " << kMostMicrobatches
                               << ", of a mesh or beside '" << kBatchAttr << "'";
    return success();
  }
  if (name == kStepSecondsAttr) {
    auto seconds = dyn_cast<FloatAttr>(attribute.getValue());
    if (!seconds || !seconds.getType().isF64() || !op->hasAttr(kStageAttr))
      return op->emitOpError() << "'" << name << "' is an F64, beside '" << kStageAttr << "'";
    return success();
  }
  if (name == kChunksAttr) {
    auto count = dyn_cast<IntegerAttr>(attribute.getValue());
    if (!isa<MeshOp>(op) || !count || !count.getType().isInteger(64) || count.getInt() < 1 ||
        count.getInt() > kMostChunks)
      return op->emitOpError() << "'" << name << "' is an I64 from 1 to " << kMostChunks
                               << ", of a mesh";
    return success();
  }
  if (name == kBatchAttr) {
    auto batch = dyn_cast<FlatSymbolRefAttr>(attribute.getValue());
    if (!batch || !SymbolTable::lookupNearestSymbolFrom<graph::DimOp>(op, batch))
      return op->emitOpError() << "'" << name << "' is no graph.dim of this module";
    return success();
  }
  if (name == kPinnedAttr)
    return verifyPriority(op, attribute.getValue());
  return op->emitOpError() << "attribute '" << name << "' is unknown to the dist dialect";
}

static LogicalResult verifySignatureAttribute(Operation *op, StringRef what, unsigned index,
                                              NamedAttribute attribute, Type type) {
  StringRef name = attribute.getName().getValue();
  std::string where = (what + " #" + Twine(index)).str();
  if (name == kPinnedAttr)
    return verifyPriority(op, attribute.getValue());
  if (name != kShardingAttr)
    return op->emitOpError() << where << ": attribute '" << name
                             << "' is unknown to the dist dialect";
  return verifySharding(op, where, attribute.getValue(), type);
}

LogicalResult DistDialect::verifyRegionArgAttribute(Operation *op, unsigned, unsigned index,
                                                    NamedAttribute attribute) {
  auto function = dyn_cast<func::FuncOp>(op);
  return verifySignatureAttribute(op, "argument", index, attribute,
                                  function ? function.getArgumentTypes()[index] : Type());
}

LogicalResult DistDialect::verifyRegionResultAttribute(Operation *op, unsigned, unsigned index,
                                                       NamedAttribute attribute) {
  auto function = dyn_cast<func::FuncOp>(op);
  return verifySignatureAttribute(op, "result", index, attribute,
                                  function ? function.getResultTypes()[index] : Type());
}
