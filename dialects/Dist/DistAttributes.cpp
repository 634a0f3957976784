// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attributes as text, and between attributes and plain values.

#include "dialects/Dist/Dist.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;

namespace ashlar::dist {

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

/// tp or tp:(1)2
static ParseResult parseAxis(AsmParser &parser, SmallVectorImpl<StringAttr> &names,
                             SmallVectorImpl<int64_t> &parts) {
  StringRef name;
  int64_t pre = 0, size = 0;
  if (parser.parseKeyword(&name))
    return failure();
  if (succeeded(parser.parseOptionalColon()) && (parser.parseLParen() || parser.parseInteger(pre) ||
                                                 parser.parseRParen() || parser.parseInteger(size)))
    return failure();
  names.push_back(StringAttr::get(parser.getContext(), name));
  parts.append({pre, size});
  return success();
}

/// dp, tp:(1)2
static void printNames(AsmPrinter &printer, AxesAttr axes) {
  llvm::interleaveComma(llvm::enumerate(axes.getNames()), printer, [&](auto each) {
    printer << each.value().getValue();
    if (int64_t size = axes.getParts()[2 * each.index() + 1])
      printer << ":(" << axes.getParts()[2 * each.index()] << ")" << size;
  });
}

ParseResult parseAxes(AsmParser &parser, AxesAttr &axes) {
  SmallVector<StringAttr> names;
  SmallVector<int64_t> parts;
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                     [&] { return parseAxis(parser, names, parts); }))
    return failure();
  axes = AxesAttr::get(parser.getContext(), names, parts);
  return success();
}

void printAxes(AsmPrinter &printer, AxesAttr axes) {
  printer << "[";
  printNames(printer, axes);
  printer << "]";
}

Attribute AxesAttr::parse(AsmParser &parser, Type) {
  AxesAttr axes;
  if (parser.parseLess() || parseAxes(parser, axes) || parser.parseGreater())
    return {};
  return axes;
}

void AxesAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printAxes(printer, *this);
  printer << ">";
}

// <@mesh, [{dp}, {tp, ?}] partial sum [pp]>
Attribute ShardingAttr::parse(AsmParser &parser, Type) {
  MLIRContext *context = parser.getContext();
  FlatSymbolRefAttr mesh;
  SmallVector<AxesAttr> dims;
  SmallVector<bool> open;
  auto parseDim = [&]() -> ParseResult {
    SmallVector<StringAttr> names;
    SmallVector<int64_t> parts;
    bool isOpen = false;
    auto parseEntry = [&]() -> ParseResult {
      if (succeeded(parser.parseOptionalQuestion())) {
        isOpen = true;
        return success();
      }
      return parseAxis(parser, names, parts);
    };
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Braces, parseEntry))
      return failure();
    dims.push_back(AxesAttr::get(context, names, parts));
    open.push_back(isOpen);
    return success();
  };
  if (parser.parseLess() || parser.parseAttribute(mesh) || parser.parseComma() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseDim))
    return {};
  Reduction reduction = Reduction::None;
  AxesAttr partial = AxesAttr::get(context, {}, {});
  if (succeeded(parser.parseOptionalKeyword("partial"))) {
    StringRef kind;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword(&kind))
      return {};
    for (Reduction each : {Reduction::Sum, Reduction::Max, Reduction::Min})
      if (kind == toString(each))
        reduction = each;
    if (reduction == Reduction::None) {
      parser.emitError(loc) << "a partial tensor is a sum, max or min, found '" << kind << "'";
      return {};
    }
    if (parseAxes(parser, partial))
      return {};
  }
  if (parser.parseGreater())
    return {};
  return ShardingAttr::get(context, mesh, dims, open, reduction, partial);
}

void ShardingAttr::print(AsmPrinter &printer) const {
  printer << "<" << getMesh() << ", [";
  llvm::interleaveComma(llvm::zip(getDims(), getOpen()), printer, [&](auto dim) {
    auto [axes, isOpen] = dim;
    printer << "{";
    printNames(printer, axes);
    if (isOpen)
      printer << (axes.empty() ? "?" : ", ?");
    printer << "}";
  });
  printer << "]";
  if (getReduction() != Reduction::None) {
    printer << " partial " << toString(getReduction()) << " ";
    printAxes(printer, getPartial());
  }
  printer << ">";
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Axes getAxes(AxesAttr axes, const Mesh &mesh) {
  Axes values;
  for (auto [i, name] : llvm::enumerate(axes.getNames())) {
    int64_t pre = axes.getParts()[2 * i], size = axes.getParts()[2 * i + 1];
    const MeshAxis *whole = mesh.find(name);
    values.push_back({name.str(), size ? pre : 1, size ? size : whole ? whole->size : 1});
  }
  return values;
}

AxesAttr getAttr(MLIRContext *context, llvm::ArrayRef<Axis> axes, const Mesh &mesh) {
  SmallVector<StringAttr> names;
  SmallVector<int64_t> parts;
  for (const Axis &axis : axes) {
    names.push_back(StringAttr::get(context, axis.name));
    if (mesh.isWhole(axis))
      parts.append({0, 0});
    else
      parts.append({axis.pre, axis.size});
  }
  return AxesAttr::get(context, names, parts);
}

Sharding getSharding(ShardingAttr attr, const Mesh &mesh) {
  Sharding sharding;
  for (auto [axes, isOpen] : llvm::zip(attr.getDims(), attr.getOpen()))
    sharding.dims.push_back({getAxes(axes, mesh), isOpen});
  sharding.reduction = attr.getReduction();
  sharding.partial = getAxes(attr.getPartial(), mesh);
  return sharding;
}

ShardingAttr getAttr(FlatSymbolRefAttr meshName, const Sharding &sharding, const Mesh &mesh) {
  MLIRContext *context = meshName.getContext();
  SmallVector<AxesAttr> dims;
  SmallVector<bool> open;
  for (const DimSharding &dim : sharding.dims) {
    dims.push_back(getAttr(context, dim.axes, mesh));
    open.push_back(dim.isOpen);
  }
  return ShardingAttr::get(context, meshName, dims, open, sharding.reduction,
                           getAttr(context, sharding.partial, mesh));
}

} // namespace ashlar::dist
