// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ashlar::graph;

LogicalResult DimOp::verify() {
  if (getMinimum() < 0 || getMaximum() < 1 || getMinimum() > getMaximum())
    return emitOpError() << "bounds are 0 <= minimum <= maximum and 1 <= maximum, found "
                         << getMinimum() << " to " << getMaximum();
  if (getDerivation().has_value() != getTerms().has_value())
    return emitOpError() << "a derived dimension gives both how it is derived and from what";
  if (!getTerms())
    return success();
  auto module = cast<ModuleOp>((*this)->getParentOp());
  bool isSum = getDerivation() == DimDerivation::Sum;
  int64_t largest = isSum ? 0 : 1;
  for (auto term : getTerms()->getAsRange<FlatSymbolRefAttr>()) {
    auto dim = module.lookupSymbol<DimOp>(term.getAttr());
    if (!dim || dim == *this)
      return emitOpError() << "is derived from " << term
                           << ", which is no other graph.dim of this module";
    int64_t bound = dim.getMaximum();
    if (isSum ? llvm::AddOverflow(largest, bound, largest)
              : llvm::MulOverflow(largest, bound, largest))
      return emitOpError() << "its terms' bounds overflow";
  }
  if (static_cast<int64_t>(getMaximum()) > largest)
    return emitOpError() << "has maximum " << getMaximum() << ", beyond the "
                         << stringifyDimDerivation(*getDerivation()) << " of its terms' maxima, "
                         << largest;
  return success();
}

LogicalResult StateOp::verify() {
  Type type = getType();
  bool isCache = isa<CacheType>(type);
  if (isCache != (getRole() == StateRole::Cache))
    return emitOpError() << "of role " << stringifyStateRole(getRole()) << " has type " << type
                         << "; exactly a cache has a !graph.cache type";
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!isCache && (!tensor || !tensor.hasStaticShape()))
    return emitOpError() << "has type " << type
                         << "; a state is a tensor of known size or a !graph.cache";
  double bytes = isCache ? getElementBytes(cast<CacheType>(type).getElementType())
                         : getElementBytes(tensor.getElementType());
  for (int64_t size : isCache ? cast<CacheType>(type).getShape() : tensor.getShape())
    bytes *= static_cast<double>(size);
  if (bytes > 281474976710656.0)
    return emitOpError() << "of type " << type << " takes more than 2^48 bytes";
  if (getRole() == StateRole::Parameter && getScope() != StateScope::Model)
    return emitOpError() << "is a parameter, which belongs to the model and not to a session";
  if (getBegin() || getWhole()) {
    if (!getBegin() || !getWhole() || !getTensor() || getRole() != StateRole::Parameter)
      return emitOpError() << "is a range where it begins `at` an element `of` a shape; ranges are "
                              "parameters that name their `tensor`";
    ArrayRef<int64_t> begin = *getBegin(), whole = *getWhole(), shape = tensor.getShape();
    bool fits = begin.size() == shape.size() && whole.size() == shape.size();
    for (size_t d = 0; fits && d < shape.size(); ++d)
      fits = begin[d] >= 0 && begin[d] <= whole[d] && shape[d] <= whole[d] - begin[d];
    if (!fits)
      return emitOpError() << "of " << type << " at [" << begin << "] lies outside of '"
                           << *getTensor() << "' of [" << whole << "]";
  }
  if (getStddev() && getInit() != InitKind::Normal)
    return emitOpError() << "gives a standard deviation without `init normal`";
  return success();
}

/// Whether `use` is the first elements of `state`: equal but for dimensions whose names are bounded
/// by the state's.
static bool isFirstElements(Type use, Type state, ModuleOp module) {
  auto part = dyn_cast<RankedTensorType>(use), all = dyn_cast<RankedTensorType>(state);
  if (!part || !all || part.getRank() != all.getRank() || !module ||
      part.getElementType() != all.getElementType())
    return false;
  for (auto [mine, kept] : llvm::zip(getDims(part), getDims(all))) {
    auto dim = mine.isNumber() ? DimOp() : module.lookupSymbol<DimOp>(mine.name);
    if (mine != kept && (!dim || static_cast<int64_t>(dim.getMaximum()) > kept.size))
      return false;
  }
  return true;
}

template <typename Op>
static LogicalResult verifyStateUse(Op op, Type type, SymbolTableCollection &symbols) {
  auto state = symbols.lookupNearestSymbolFrom<StateOp>(op, op.getStateAttr());
  if (!state)
    return op.emitOpError() << "names " << op.getStateAttr()
                            << ", which is no graph.state of this module";
  if (state.getType() == type ||
      isFirstElements(type, state.getType(), dyn_cast<ModuleOp>(state->getParentOp())))
    return success();
  return (op.emitOpError()
          << "has type " << type << ", but the state's is " << state.getType()
          << "; a use has that type, or names bounded by its dimensions in the place of them")
             .attachNote(state.getLoc())
         << "the state is declared here";
}

LogicalResult ReadOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyStateUse(*this, getResult().getType(), symbols);
}

LogicalResult WriteOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyStateUse(*this, getValue().getType(), symbols)))
    return failure();
  auto state = symbols.lookupNearestSymbolFrom<StateOp>(*this, getStateAttr());
  if (state.getRole() == StateRole::Parameter)
    return emitOpError() << "writes parameter " << getStateAttr()
                         << "; only a training step may, through its optimizer";
  return success();
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult ConstantOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                           Adaptor adaptor, SmallVectorImpl<Type> &results) {
  if (!isa<DenseElementsAttr>(adaptor.getValue()))
    return emitOptionalError(loc, "'graph.constant' op takes its elements as dense<...>, found ",
                             adaptor.getValue());
  results.push_back(adaptor.getValue().getShapedType());
  return success();
}

//===----------------------------------------------------------------------===//
// graph.fused
//===----------------------------------------------------------------------===//

// %r = graph.fused "name" (%a = %x : T, ...) -> T, ... { ... }
ParseResult FusedOp::parse(OpAsmParser &parser, OperationState &result) {
  std::string name;
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SmallVector<Type> operandTypes, resultTypes;
  auto parseInput = [&]() -> ParseResult {
    OpAsmParser::Argument argument;
    if (parser.parseArgument(argument) || parser.parseEqual() ||
        parser.parseOperand(operands.emplace_back()) || parser.parseColonType(argument.type))
      return failure();
    operandTypes.push_back(argument.type);
    arguments.push_back(argument);
    return success();
  };
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseString(&name) ||
      parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, parseInput))
    return failure();
  if (succeeded(parser.parseOptionalArrow()) && parser.parseTypeList(resultTypes))
    return failure();
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.parseRegion(*result.addRegion(), arguments) ||
      parser.resolveOperands(operands, operandTypes, loc, result.operands))
    return failure();
  result.addAttribute(getNameAttrName(result.name), parser.getBuilder().getStringAttr(name));
  result.addTypes(resultTypes);
  return success();
}

void FusedOp::print(OpAsmPrinter &printer) {
  printer << " ";
  printer.printAttributeWithoutType(getNameAttr());
  printer << " (";
  llvm::interleaveComma(llvm::zip(getBlock().getArguments(), getInputs()), printer, [&](auto pair) {
    printer << std::get<0>(pair) << " = " << std::get<1>(pair) << " : "
            << std::get<1>(pair).getType();
  });
  printer << ")";
  if (getNumResults() > 0) {
    printer << " -> ";
    llvm::interleaveComma(getResultTypes(), printer);
  }
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {getNameAttrName()});
  printer << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult FusedOp::verify() {
  if (getBlock().getArgumentTypes() != getInputs().getTypes())
    return emitOpError() << "has inputs whose types differ from its block arguments'";
  Operation *yield = getYield();
  if (!isa<YieldOp>(yield) || yield->getOperandTypes() != (*this)->getResultTypes())
    return emitOpError() << "yields types that differ from its results'";
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/GraphOps.cpp.inc"
