// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Dist/Dist.h"
#include "dialects/Graph/Graph.h"

using namespace mlir;
using namespace ashlar;
using namespace ashlar::dist;
using graph::Dim;

//===----------------------------------------------------------------------===//
// dist.mesh
//===----------------------------------------------------------------------===//

// [dp = 2, tp = 4]
static ParseResult parseMeshAxes(OpAsmParser &parser, ArrayAttr &names, DenseI64ArrayAttr &sizes) {
  SmallVector<Attribute> axes;
  SmallVector<int64_t> extents;
  auto parseAxis = [&]() -> ParseResult {
    StringRef name;
    if (parser.parseKeyword(&name) || parser.parseEqual() ||
        parser.parseInteger(extents.emplace_back()))
      return failure();
    axes.push_back(parser.getBuilder().getStringAttr(name));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseAxis))
    return failure();
  names = parser.getBuilder().getArrayAttr(axes);
  sizes = parser.getBuilder().getDenseI64ArrayAttr(extents);
  return success();
}

static void printMeshAxes(OpAsmPrinter &printer, MeshOp, ArrayAttr names, DenseI64ArrayAttr sizes) {
  printer << "[";
  llvm::interleaveComma(
      llvm::zip(names.getAsRange<StringAttr>(), sizes.asArrayRef()), printer,
      [&](auto axis) { printer << std::get<0>(axis).getValue() << " = " << std::get<1>(axis); });
  printer << "]";
}

static ParseResult parseAxesList(OpAsmParser &parser, AxesAttr &axes) {
  return parseAxes(parser, axes);
}
static void printAxesList(OpAsmPrinter &printer, Operation *, AxesAttr axes) {
  printAxes(printer, axes);
}

Mesh MeshOp::getMesh() {
  Mesh mesh;
  mesh.flops = getFlops().convertToDouble();
  if (auto memory = getMemory())
    mesh.memory = memory->convertToDouble();
  for (auto [i, name] : llvm::enumerate(getNames().getAsRange<StringAttr>()))
    mesh.axes.push_back({name.str(), getSizes()[i], getBandwidth()[i], getLatency()[i]});
  return mesh;
}

LogicalResult MeshOp::verify() {
  size_t rank = getNames().size();
  if (rank == 0 || getSizes().size() != rank || getBandwidth().size() != rank ||
      getLatency().size() != rank)
    return emitOpError() << "has " << rank << " axes, " << getBandwidth().size()
                         << " bandwidths and " << getLatency().size()
                         << " latencies; one of each per axis, and at least one axis";
  if (auto memory = getMemory(); memory && !(memory->convertToDouble() > 0))
    return emitOpError()
           << "reads its memory at " << memory->convertToDouble()
           << " bytes per second; expected more than 0, or nothing where it is not known";
  int64_t ranks = 1;
  for (size_t i = 0; i < rank; ++i) {
    if (getSizes()[i] >= 1 && llvm::MulOverflow(ranks, getSizes()[i], ranks))
      return emitOpError() << "has more ranks than 64 bits count";
    if (getSizes()[i] < 1 || !(getBandwidth()[i] > 0) || !(getLatency()[i] >= 0))
      return emitOpError() << "axis " << getNames()[i] << " of size " << getSizes()[i]
                           << ": sizes and bandwidths are positive, latencies not negative";
    for (size_t j = 0; j < i; ++j)
      if (getNames()[i] == getNames()[j])
        return emitOpError() << "has two axes named " << getNames()[i];
  }
  MeshOp first = findMesh(cast<ModuleOp>((*this)->getParentOp()));
  if (first != *this)
    return (emitOpError() << "is a second mesh; a module has one").attachNote(first.getLoc())
           << "the other one";
  return success();
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

RankedTensorType dist::getOutputType(Operation *op) {
  if (op->getNumResults() == 0)
    return {};
  Type type = op->getResult(0).getType();
  if (auto pending = dyn_cast<PendingType>(type))
    return pending.getResult();
  return dyn_cast<RankedTensorType>(type);
}

/// Checks that the mesh is there and has the axes; gives the number of ranks along them.
static FailureOr<int64_t> verifyAxes(Operation *op, FlatSymbolRefAttr name, AxesAttr attr,
                                     SymbolTableCollection &symbols) {
  auto meshOp = symbols.lookupNearestSymbolFrom<MeshOp>(op, name);
  if (!meshOp)
    return op->emitOpError() << "names " << name << ", which is no dist.mesh of this module";
  Mesh mesh = meshOp.getMesh();
  Sharding sharding;
  sharding.dims.push_back({getAxes(attr, mesh)});
  std::string error = check(sharding, mesh);
  if (!error.empty())
    return op->emitOpError() << "over " << attr << ": " << error;
  return getParts(sharding.dims[0].axes);
}

/// What a dimension is a part of, and by which axes; of itself where it is whole.
static std::pair<Dim, Axes> getOrigin(Operation *op, const Dim &dim, const Mesh &mesh) {
  auto declared = dim.isNumber() ? graph::DimOp()
                                 : SymbolTable::lookupNearestSymbolFrom<graph::DimOp>(op, dim.name);
  auto local = declared ? declared->getAttrOfType<LocalDimAttr>(kLocalAttr) : LocalDimAttr();
  if (!local)
    return {dim, {}};
  auto number = dyn_cast<IntegerAttr>(local.getWhole());
  return {number ? Dim::number(number.getInt())
                 : Dim::named(cast<FlatSymbolRefAttr>(local.getWhole()).getAttr()),
          getAxes(local.getAxes(), mesh)};
}

/// Whether a named part of a dimension is declared (dist.local) as what the op's axes leave of it.
static bool isPart(Operation *op, const Dim &part, const Dim &whole) {
  auto name = op->getAttrOfType<FlatSymbolRefAttr>("mesh");
  Mesh mesh = SymbolTable::lookupNearestSymbolFrom<MeshOp>(op, name).getMesh();
  auto [partOf, partAxes] = getOrigin(op, part, mesh);
  auto [wholeOf, wholeAxes] = getOrigin(op, whole, mesh);
  Axes expected = wholeAxes;
  expected.append(getAxes(op->getAttrOfType<AxesAttr>("axes"), mesh));
  if (partAxes == merge(expected) && partOf == wholeOf)
    return true;
  // What divides evenly is a number, of which the axes before are not kept.
  Axes own = getAxes(op->getAttrOfType<AxesAttr>("axes"), mesh);
  return whole.isNumber() && partOf.isNumber() &&
         partOf.size * getParts(own) == whole.size * getParts(partAxes);
}

/// Checks that the result is a tensor like the operand but for the dimensions in `changed`, where a
/// number grows (is gathered) or shrinks (is cut) by the number of parts.
static LogicalResult verifyShapes(Operation *op, RankedTensorType from, RankedTensorType to,
                                  ArrayRef<int64_t> cut, ArrayRef<int64_t> gathered,
                                  int64_t parts) {
  if (!to)
    return op->emitOpError() << "gives " << op->getResult(0).getType()
                             << "; a collective gives a tensor or a !dist.pending of one";
  for (int64_t axis : llvm::concat<const int64_t>(cut, gathered))
    if (axis < 0 || axis >= from.getRank())
      return op->emitOpError() << "axis " << axis << " is outside a tensor of rank "
                               << from.getRank();
  if (!cut.empty() && cut == gathered)
    return op->emitOpError() << "cuts and joins one dimension, " << cut[0];
  auto fail = [&](StringRef what) {
    return op->emitOpError() << "takes " << from << " and gives " << to << " with " << parts
                             << " parts: " << what;
  };
  graph::Dims before = graph::getDims(from), after = graph::getDims(to);
  if (before.size() != after.size() || from.getElementType() != to.getElementType())
    return fail("rank and element type stay");
  for (auto [i, dims] : llvm::enumerate(llvm::zip(before, after))) {
    auto [mine, other] = dims;
    auto index = static_cast<int64_t>(i);
    bool isCut = llvm::is_contained(cut, index), isGathered = llvm::is_contained(gathered, index);
    if (!isCut && !isGathered) {
      if (mine != other)
        return fail("a dimension that is neither cut nor joined changes");
      continue;
    }
    Dim whole = isCut ? mine : other, part = isCut ? other : mine;
    bool fits = part.isNumber() ? whole.isNumber() && part.size * parts == whole.size
                                : parts > 1 || whole == part;
    if (!fits)
      return fail("a part of a dimension is a number that divides it, or a name");
    if (!part.isNumber() && parts > 1 && !isPart(op, part, whole))
      return fail("the part's name is not declared as a part of the other dimension by these axes");
  }
  return success();
}

template <typename Op>
static LogicalResult verifyCollective(Op op, SymbolTableCollection &symbols, ArrayRef<int64_t> cut,
                                      ArrayRef<int64_t> gathered) {
  auto parts = verifyAxes(op, op.getMeshAttr(), op.getAxes(), symbols);
  if (failed(parts))
    return failure();
  return verifyShapes(op, cast<RankedTensorType>(op.getX().getType()), getOutputType(op), cut,
                      gathered, *parts);
}

LogicalResult AllReduceOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyCollective(*this, symbols, {}, {});
}
LogicalResult ReduceScatterOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyCollective(*this, symbols, {static_cast<int64_t>(getAxis())}, {});
}
LogicalResult AllGatherOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyCollective(*this, symbols, {}, {static_cast<int64_t>(getAxis())});
}
LogicalResult AllToAllOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyCollective(*this, symbols, {static_cast<int64_t>(getSplit())},
                          {static_cast<int64_t>(getJoin())});
}
LogicalResult AllSliceOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyCollective(*this, symbols, {static_cast<int64_t>(getAxis())}, {});
}

LogicalResult PermuteOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto parts = verifyAxes(*this, getMeshAttr(), getAxes(), symbols);
  if (failed(parts) || failed(verifyCollective(*this, symbols, {}, {})))
    return failure();
  SmallVector<bool> sends(*parts), gets(*parts);
  if (getPairs().size() % 2)
    return emitOpError() << "takes pairs of a sender and a receiver, found " << getPairs().size()
                         << " numbers";
  for (size_t i = 0; i < getPairs().size(); i += 2) {
    int64_t from = getPairs()[i], to = getPairs()[i + 1];
    if (from < 0 || to < 0 || from >= *parts || to >= *parts || sends[from] || gets[to])
      return emitOpError() << "sends from " << from << " to " << to << " of " << *parts
                           << " ranks; nobody sends or gets twice";
    sends[from] = gets[to] = true;
  }
  return success();
}

static LogicalResult verifyPlace(Operation *op, StringRef what, int64_t place, int64_t count) {
  if (place >= 0 && place < count)
    return success();
  return op->emitOpError() << what << " " << place << " of a group of " << count;
}

LogicalResult BroadcastOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto parts = verifyAxes(*this, getMeshAttr(), getAxes(), symbols);
  if (failed(parts) || failed(verifyPlace(*this, "takes the tensor of", getRoot(), *parts)))
    return failure();
  return verifyCollective(*this, symbols, {}, {});
}

LogicalResult SendOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto parts = verifyAxes(*this, getMeshAttr(), getAxes(), symbols);
  return failed(parts) ? failure() : verifyPlace(*this, "sends to", getPeer(), *parts);
}
LogicalResult RecvOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto parts = verifyAxes(*this, getMeshAttr(), getAxes(), symbols);
  if (failed(parts))
    return failure();
  if (!getOutputType())
    return emitOpError() << "gives " << getResult().getType() << ", which is no tensor";
  return verifyPlace(*this, "takes from", getPeer(), *parts);
}

LogicalResult WaitOp::verify() {
  if (getPending().getType().getResult() != getResult().getType())
    return emitOpError() << "waits for " << getPending().getType() << ", which gives no "
                         << getResult().getType();
  if (!getPending().getDefiningOp<CollectiveOpInterface>())
    return emitOpError() << "waits for what no collective of this function has started";
  return success();
}

LogicalResult ShardOriginOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (cast<RankedTensorType>(getResult().getType()).getRank() != 0)
    return emitOpError() << "gives one number, a tensor<i64>";
  auto name = dyn_cast<FlatSymbolRefAttr>(getDim());
  if (!isa<IntegerAttr>(getDim()) &&
      !(name && symbols.lookupNearestSymbolFrom<graph::DimOp>(*this, name)))
    return emitOpError() << "is of " << getDim()
                         << ", which is neither a number nor a graph.dim of this module";
  return verifyAxes(*this, getMeshAttr(), getAxes(), symbols);
}

#define GET_OP_CLASSES
#include "dialects/Dist/DistOps.cpp.inc"
