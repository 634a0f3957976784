// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect, its attributes and its type, and the checks that no single op can make: names in
// types are declared, entry points are well formed.

#include "dialects/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ashlar::graph;

#include "dialects/Graph/GraphDialect.cpp.inc"
#include "dialects/Graph/GraphEnums.cpp.inc"
#include "dialects/Graph/GraphInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Graph/GraphAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Graph/GraphTypes.cpp.inc"

void GraphDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Graph/GraphAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Graph/GraphTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Graph/GraphOps.cpp.inc"
      >();
}

Operation *GraphDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type,
                                             Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, elements);
}

//===----------------------------------------------------------------------===//
// #graph.dims and !graph.cache
//===----------------------------------------------------------------------===//

Attribute DimsAttr::parse(AsmParser &parser, Type) {
  SmallVector<StringAttr> names;
  auto parseName = [&]() -> ParseResult {
    std::string name;
    if (parser.parseKeywordOrString(&name))
      return failure();
    names.push_back(StringAttr::get(parser.getContext(), name));
    return success();
  };
  if (parser.parseLess() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseName) ||
      parser.parseGreater())
    return {};
  return DimsAttr::get(parser.getContext(), names);
}

void DimsAttr::print(AsmPrinter &printer) const {
  printer << "<[";
  llvm::interleaveComma(getNames(), printer,
                        [&](StringAttr name) { printer.printKeywordOrString(name); });
  printer << "]>";
}

LogicalResult DimsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                       llvm::function_ref<InFlightDiagnostic()> emitError) const {
  if (getNames().size() != shape.size())
    return emitError() << "#graph.dims has " << getNames().size()
                       << " entries for a tensor of rank " << shape.size();
  bool anyName = false;
  for (auto [index, size] : llvm::enumerate(shape)) {
    bool named = getNames()[index].getValue() != "_";
    anyName |= named;
    if (named != ShapedType::isDynamic(size))
      return emitError() << "#graph.dims names dimensions exactly where they are `?`: dimension "
                         << index << " is " << (named ? "a number and named " : "`?` and named ")
                         << getNames()[index];
  }
  if (!anyName)
    return emitError() << "a tensor whose dimensions are all numbers carries no #graph.dims";
  return success();
}

Type CacheType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type elementType;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
      parser.parseType(elementType) || parser.parseGreater())
    return {};
  return CacheType::getChecked([&] { return parser.emitError(loc); }, parser.getContext(), shape,
                               elementType);
}

void CacheType::print(AsmPrinter &printer) const {
  printer << "<";
  printer.printDimensionList(getShape());
  printer << "x" << getElementType() << ">";
}

LogicalResult CacheType::verify(llvm::function_ref<InFlightDiagnostic()> emitError,
                                ArrayRef<int64_t> shape, Type elementType) {
  if (shape.size() != 4)
    return emitError() << "a cache is [sequences, positions, heads, width], rank 4, not rank "
                       << shape.size();
  for (int64_t size : shape)
    if (size <= 0)
      return emitError() << "a cache's dimensions are positive, found " << size;
  if (!elementType.isF32() && !elementType.isBF16() && !elementType.isF16())
    return emitError() << "a cache holds elements of f32, bf16 or f16, found " << elementType;
  return success();
}

//===----------------------------------------------------------------------===//
// Module-level checks
//===----------------------------------------------------------------------===//

/// Checks that every name in the function's types is declared by a graph.dim.
static LogicalResult verifyNamesAreDeclared(func::FuncOp function) {
  auto module = function->getParentOfType<ModuleOp>();
  llvm::StringSet<> declared;
  for (auto dim : module.getOps<DimOp>())
    declared.insert(dim.getSymName());
  auto check = [&](Operation *op, Type type) -> LogicalResult {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return success();
    for (const Dim &dim : getDims(tensor)) {
      if (dim.isNumber() || declared.contains(dim.name.getValue()))
        continue;
      if (dim.name.getValue().empty())
        return op->emitOpError() << "has a type with an unnamed `?` dimension: " << type
                                 << "; name it with #graph.dims<[...]>";
      return op->emitOpError() << "uses dimension '" << dim.name.getValue()
                               << "', which no graph.dim declares; declare it with `graph.dim @"
                               << dim.name.getValue() << " from MIN to MAX`";
    }
    return success();
  };
  WalkResult result = function.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      if (failed(check(op, type)))
        return WalkResult::interrupt();
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Type type : block.getArgumentTypes())
          if (failed(check(op, type)))
            return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// Checks that each state is read at most once and written at most once.
static LogicalResult verifyStateUses(func::FuncOp function) {
  llvm::DenseMap<StringAttr, Operation *> reads, writes;
  for (Operation &op : function.getBody().front()) {
    auto read = dyn_cast<ReadOp>(op);
    auto write = dyn_cast<WriteOp>(op);
    if (!read && !write)
      continue;
    StringAttr name = (read ? read.getStateAttr() : write.getStateAttr()).getAttr();
    auto [first, inserted] = (read ? reads : writes).try_emplace(name, &op);
    if (!inserted)
      return op.emitOpError() << (read ? "reads" : "writes") << " state @" << name.getValue()
                              << " a second time in one entry point"
                              << "; an entry point reads and writes each state at most once";
  }
  return success();
}

/// Checks that a cache has room for the sequences of its queries or new rows at their bound.
static LogicalResult verifyCacheRoom(func::FuncOp function) {
  auto module = function->getParentOfType<ModuleOp>();
  auto check = [&](Operation *op, Value cache, Value rows) -> LogicalResult {
    auto type = dyn_cast<CacheType>(cache.getType());
    if (!type)
      return success();
    Dim sequences = getDims(cast<RankedTensorType>(rows.getType()))[0];
    auto dim = sequences.isNumber() ? DimOp() : module.lookupSymbol<DimOp>(sequences.name);
    int64_t bound = dim ? static_cast<int64_t>(dim.getMaximum()) : sequences.size;
    if (bound <= type.getSequences())
      return success();
    return op->emitOpError() << "uses " << type << " for up to " << bound << " sequences ("
                             << toString(sequences) << "); it has room for " << type.getSequences();
  };
  WalkResult result = function.walk([&](Operation *op) {
    LogicalResult fits = success();
    if (auto append = dyn_cast<CacheAppendOp>(op))
      fits = check(op, append.getCache(), append.getValues());
    else if (auto attention = dyn_cast<AttentionOp>(op))
      fits = check(op, attention.getKeys(), attention.getQueries());
    return failed(fits) ? WalkResult::interrupt() : WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// Checks what an entry point takes and gives: tensors, defaults that exist.
static LogicalResult verifySignature(func::FuncOp function) {
  auto isTensor = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return false;
    Type element = tensor.getElementType();
    return element.isF64() || element.isF32() || element.isF16() || element.isBF16() ||
           element.isInteger(64) || element.isInteger(32) || element.isInteger(8) ||
           element.isInteger(1);
  };
  for (Type type : llvm::concat<const Type>(function.getArgumentTypes(), function.getResultTypes()))
    if (!isTensor(type))
      return function.emitOpError() << "takes or gives " << type
                                    << "; an entry point's arguments and results are ranked "
                                       "tensors of f64, f32, f16, bf16, i64, i32, i8 or i1";
  auto module = function->getParentOfType<ModuleOp>();
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    for (StringRef name : {kDefaultAttr, kLimitAttr}) {
      auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(i, name);
      if (symbol && !module.lookupSymbol<DimOp>(symbol.getAttr()))
        return function.emitOpError() << "argument #" << i << ": " << name << " is " << symbol
                                      << ", which is no graph.dim of this module";
    }
    if (function.getArgAttr(i, kLimitAttr) && !function.getArgAttr(i, kRangeAttr))
      return function.emitOpError() << "argument #" << i << ": graph.limit stands beside a "
                                    << "graph.range, and there is none";
  }
  return success();
}

static LogicalResult verifyEntry(func::FuncOp function) {
  if (!function->getParentOfType<ModuleOp>() || function.isExternal())
    return function.emitOpError() << "is an entry point and needs a body inside a module";
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitOpError() << "has several blocks; an entry point has no control flow, use "
                                     "graph.select";
  if (failed(verifySignature(function)))
    return failure();
  llvm::StringSet<> names;
  auto checkName = [&](Attribute attr, StringRef what, unsigned index) -> LogicalResult {
    auto name = dyn_cast_or_null<StringAttr>(attr);
    if (!name || name.getValue().empty())
      return function.emitOpError()
             << what << " #" << index << " of an entry point needs a graph.name";
    if (!names.insert((what + name.getValue()).str()).second)
      return function.emitOpError() << "has two " << what << "s named '" << name.getValue() << "'";
    return success();
  };
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (failed(checkName(function.getArgAttr(i, kNameAttr), "argument", i)))
      return failure();
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (failed(checkName(function.getResultAttr(i, kNameAttr), "result", i)))
      return failure();
  if (failed(verifyStateUses(function)))
    return failure();
  if (failed(verifyNamesAreDeclared(function)))
    return failure();
  return verifyCacheRoom(function);
}

LogicalResult GraphDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() != kEntryAttr)
    return op->emitOpError() << "attribute '" << attribute.getName().getValue()
                             << "' is unknown to the graph dialect";
  auto function = dyn_cast<func::FuncOp>(op);
  if (!function)
    return op->emitOpError() << "only a func.func can be an entry point";
  return verifyEntry(function);
}

LogicalResult GraphDialect::verifyRegionArgAttribute(Operation *op, unsigned, unsigned index,
                                                     NamedAttribute attribute) {
  StringRef name = attribute.getName().getValue();
  if (name == kNameAttr)
    return success(isa<StringAttr>(attribute.getValue()));
  if (name == kDefaultAttr) {
    Attribute value = attribute.getValue();
    auto text = dyn_cast<StringAttr>(value);
    if (isa<IntegerAttr, FlatSymbolRefAttr>(value) || (text && text.getValue() == "iota"))
      return success();
    return op->emitOpError() << "argument #" << index
                             << ": graph.default is an integer, a dimension's symbol or "
                             << "\"iota\", found " << value;
  }
  if (name == kLimitAttr) {
    if (isa<FlatSymbolRefAttr>(attribute.getValue()))
      return success();
    return op->emitOpError() << "argument #" << index
                             << ": graph.limit is a dimension's symbol, found "
                             << attribute.getValue();
  }
  if (name == kRangeAttr) {
    auto range = dyn_cast<DenseI64ArrayAttr>(attribute.getValue());
    if (range && range.size() == 2 && range[0] < range[1])
      return success();
    return op->emitOpError() << "argument #" << index
                             << ": graph.range is array<i64: LOW, HIGH> with LOW < HIGH, found "
                             << attribute.getValue();
  }
  return op->emitOpError() << "argument #" << index << ": attribute '" << name
                           << "' is unknown to the graph dialect";
}

LogicalResult GraphDialect::verifyRegionResultAttribute(Operation *op, unsigned, unsigned index,
                                                        NamedAttribute attribute) {
  if (attribute.getName() == kNameAttr && isa<StringAttr>(attribute.getValue()))
    return success();
  return op->emitOpError()
         << "result #" << index << ": attribute '" << attribute.getName().getValue()
         << "' is unknown to the graph dialect; results carry graph.name = \"...\"";
}
