// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Program/Program.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace ashlar::program;

#include "dialects/Program/ProgramDialect.cpp.inc"
#include "dialects/Program/ProgramEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Program/ProgramAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/Program/ProgramOps.cpp.inc"

void ProgramDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Program/ProgramAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Program/ProgramOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

// <12 * batch * seq ceildiv 64>
Attribute ExtentAttr::parse(AsmParser &parser, Type) {
  int64_t scale = 1, divisor = 1;
  SmallVector<StringAttr> dims;
  if (parser.parseLess() || parser.parseInteger(scale))
    return {};
  while (succeeded(parser.parseOptionalStar())) {
    std::string name;
    if (parser.parseKeywordOrString(&name))
      return {};
    dims.push_back(StringAttr::get(parser.getContext(), name));
  }
  if (succeeded(parser.parseOptionalKeyword("ceildiv")) && parser.parseInteger(divisor))
    return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<ExtentAttr>(parser.getContext(), scale, dims, divisor);
}

LogicalResult ExtentAttr::verify(llvm::function_ref<InFlightDiagnostic()> emitError, int64_t,
                                 ArrayRef<StringAttr>, int64_t divisor) {
  if (divisor < 1)
    return emitError() << "an extent is divided by at least 1, found " << divisor;
  return success();
}

void ExtentAttr::print(AsmPrinter &printer) const {
  printer << "<" << getScale();
  for (StringAttr dim : getDims()) {
    printer << " * ";
    printer.printKeywordOrString(dim);
  }
  if (getDivisor() != 1)
    printer << " ceildiv " << getDivisor();
  printer << ">";
}

std::optional<int64_t> ExtentAttr::evaluate(llvm::function_ref<int64_t(StringAttr)> extent) const {
  int64_t product = getScale();
  for (StringAttr dim : getDims())
    if (llvm::MulOverflow(product, extent(dim), product))
      return std::nullopt;
  return llvm::divideCeilSigned(product, getDivisor());
}

// <arena, 0, 24576>
Attribute OperandAttr::parse(AsmParser &parser, Type) {
  StringRef keyword;
  int64_t offset, bytes;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseKeyword(&keyword) || parser.parseComma() ||
      parser.parseInteger(offset) || parser.parseComma() || parser.parseInteger(bytes) ||
      parser.parseGreater())
    return {};
  auto space = symbolizeSpace(keyword);
  if (!space)
    return parser.emitError(loc)
               << "'" << keyword
               << "' is no memory space; there are arena, weights, constants, state",
           Attribute();
  return OperandAttr::get(parser.getContext(), *space, offset, bytes);
}

void OperandAttr::print(AsmPrinter &printer) const {
  printer << "<" << stringifySpace(getSpace()) << ", " << getOffset() << ", " << getBytes() << ">";
}

// <"name", f32, [768, 768], transposed, normal, 0.02>
Attribute PartAttr::parse(AsmParser &parser, Type) {
  std::string tensor;
  Type elementType;
  SmallVector<int64_t> shape;
  StringRef order, init;
  double stddev = 0;
  SMLoc loc = parser.getCurrentLocation();
  auto parseSize = [&] { return parser.parseInteger(shape.emplace_back()); };
  if (parser.parseLess() || parser.parseString(&tensor) || parser.parseComma() ||
      parser.parseType(elementType) || parser.parseComma() ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseSize) ||
      parser.parseComma() || parser.parseKeyword(&order) || parser.parseComma() ||
      parser.parseKeyword(&init) || parser.parseComma() || parser.parseFloat(stddev) ||
      parser.parseGreater())
    return {};
  auto kind = symbolizeInit(init);
  if (!kind || (order != "transposed" && order != "straight"))
    return parser.emitError(loc)
               << "a part is `transposed` or `straight` and starts as none, zeros, ones or normal",
           Attribute();
  return PartAttr::get(parser.getContext(), StringAttr::get(parser.getContext(), tensor),
                       elementType, shape, order == "transposed", *kind,
                       FloatAttr::get(Float64Type::get(parser.getContext()), stddev));
}

void PartAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printer.printString(getTensor().getValue());
  printer << ", " << getElementType() << ", [";
  llvm::interleaveComma(getShape(), printer);
  printer << "], " << (getTransposed() ? "transposed" : "straight") << ", "
          << stringifyInit(getInit()) << ", ";
  printer.printFloat(getStddev().getValue());
  printer << ">";
}
