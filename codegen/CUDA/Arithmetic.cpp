// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CUDA/Arithmetic.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Format.h"

using namespace mlir;

namespace ashlar::cuda {

StringRef getMemoryType(Type element) {
  if (element.isBF16())
    return "bf16";
  if (element.isF16())
    return "f16";
  return element.isInteger(1) ? "uint8" : getValueType(element);
}

StringRef getValueType(Type element) {
  if (isa<FloatType>(element))
    return "float";
  switch (element.getIntOrFloatBitWidth()) {
  case 1:
    return "bool";
  case 8:
    return "int8";
  case 32:
    return "int32";
  default:
    return "int64";
  }
}

std::string getLiteral(TypedAttr number) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto real = dyn_cast<FloatAttr>(number)) {
    auto value = static_cast<float>(real.getValueAsDouble());
    if (!std::isfinite(value)) {
      uint32_t bits = llvm::bit_cast<uint32_t>(value);
      stream << "float_of(" << llvm::format_hex(bits, 10) << "u)";
      return text;
    }
    stream << llvm::format("%.9g", value);
    return text + (StringRef(text).find_first_of(".e") == StringRef::npos ? ".0f" : "f");
  }
  auto integer = cast<IntegerAttr>(number);
  if (integer.getType().isInteger(1))
    return integer.getValue().isZero() ? "false" : "true";
  int64_t value = integer.getValue().getSExtValue();
  if (value == std::numeric_limits<int64_t>::min())
    return "(-9223372036854775807ll - 1)";
  stream << value << (integer.getType().isInteger(64) ? "ll" : "");
  return value < 0 ? "(" + text + ")" : text;
}

/// The operator between two operands, or the function of one or two; empty for others.
static StringRef getOperator(Operation *op) {
  return TypeSwitch<Operation *, StringRef>(op)
      .Case<arith::AddFOp, arith::AddIOp>([](auto) { return "+"; })
      .Case<arith::SubFOp, arith::SubIOp>([](auto) { return "-"; })
      .Case<arith::MulFOp, arith::MulIOp>([](auto) { return "*"; })
      .Case<arith::DivFOp, arith::DivSIOp>([](auto) { return "/"; })
      .Case<arith::OrIOp>([](auto) { return "|"; })
      .Case<arith::AndIOp>([](auto) { return "&"; })
      .Default([](Operation *) { return ""; });
}

static StringRef getFunction(Operation *op) {
  return TypeSwitch<Operation *, StringRef>(op)
      .Case<arith::MaximumFOp, arith::MaxSIOp>([](auto) { return "maximum"; })
      .Case<arith::MinimumFOp, arith::MinSIOp>([](auto) { return "minimum"; })
      .Case<arith::NegFOp>([](auto) { return "-"; })
      .Case<math::AbsFOp>([](auto) { return "abs"; })
      .Case<math::ExpOp>([](auto) { return "exp"; })
      .Case<math::LogOp>([](auto) { return "log"; })
      .Case<math::SqrtOp>([](auto) { return "sqrt"; })
      .Case<math::TanhOp>([](auto) { return "tanh"; })
      .Case<math::ErfOp>([](auto) { return "erf"; })
      .Default([](Operation *) { return ""; });
}

/// The relation of a comparison. Only "not equal" holds where one side is not a number.
static StringRef getRelation(Operation *op) {
  if (auto compare = dyn_cast<arith::CmpFOp>(op)) {
    switch (compare.getPredicate()) {
    case arith::CmpFPredicate::OEQ:
      return "==";
    case arith::CmpFPredicate::UNE:
      return "!=";
    case arith::CmpFPredicate::OLT:
      return "<";
    case arith::CmpFPredicate::OLE:
      return "<=";
    case arith::CmpFPredicate::OGT:
      return ">";
    case arith::CmpFPredicate::OGE:
      return ">=";
    default:
      return "";
    }
  }
  auto compare = dyn_cast<arith::CmpIOp>(op);
  switch (compare ? compare.getPredicate() : arith::CmpIPredicate::eq) {
  case arith::CmpIPredicate::eq:
    return compare ? "==" : "";
  case arith::CmpIPredicate::ne:
    return "!=";
  case arith::CmpIPredicate::slt:
  case arith::CmpIPredicate::ult: // of i1 only
    return "<";
  case arith::CmpIPredicate::sle:
  case arith::CmpIPredicate::ule:
    return "<=";
  case arith::CmpIPredicate::sgt:
  case arith::CmpIPredicate::ugt:
    return ">";
  case arith::CmpIPredicate::sge:
  case arith::CmpIPredicate::uge:
    return ">=";
  }
  llvm_unreachable("a comparison without a relation");
}

static std::string getExpression(Operation *op, ArrayRef<std::string> x) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return getLiteral(constant.getValue());
  if (StringRef symbol = getOperator(op); !symbol.empty())
    return x[0] + " " + symbol.str() + " " + x[1];
  if (StringRef relation = getRelation(op); !relation.empty())
    return x[0] + " " + relation.str() + " " + x[1];
  if (StringRef function = getFunction(op); !function.empty())
    return function.str() + "(" + llvm::join(x, ", ") + ")";
  if (isa<arith::SelectOp>(op))
    return x[0] + " ? " + x[1] + " : " + x[2];
  // What is left converts: sizes of numbers, integers and floating point.
  if (!isa<arith::SIToFPOp, arith::UIToFPOp, arith::FPToSIOp, arith::ExtSIOp, arith::ExtUIOp,
           arith::TruncIOp>(op))
    llvm::report_fatal_error("no C++ for operation " + op->getName().getStringRef());
  return "static_cast<" + getValueType(op->getResult(0).getType()).str() + ">(" + x[0] + ")";
}

std::string writeElement(Code &code, Operation *op, ArrayRef<std::string> elements) {
  Block scratch;
  for (Value operand : op->getOperands()) {
    Type type = cast<RankedTensorType>(operand.getType()).getElementType();
    scratch.addArgument(isa<FloatType>(type) ? Float32Type::get(op->getContext()) : type,
                        op->getLoc());
  }
  OpBuilder builder(op->getContext());
  builder.setInsertionPointToEnd(&scratch);
  Value result =
      cast<graph::ElementwiseOpInterface>(op).buildElement(builder, scratch.getArguments());
  llvm::DenseMap<Value, std::string> names;
  for (auto [argument, element] : llvm::zip_equal(scratch.getArguments(), elements))
    names[argument] = element;
  for (Operation &inner : scratch) {
    SmallVector<std::string> operands =
        llvm::map_to_vector(inner.getOperands(), [&](Value value) { return names.lookup(value); });
    std::string expression = getExpression(&inner, operands);
    if (isa<arith::ConstantOp>(inner)) {
      names[inner.getResult(0)] = expression;
      continue;
    }
    Type type = inner.getResult(0).getType();
    StringRef hint = inner.getResult(0) == result ? op->getName().stripDialect() : StringRef("t");
    names[inner.getResult(0)] = code.constant(getValueType(type), hint.str() + "_", expression);
  }
  return names.lookup(result);
}

} // namespace ashlar::cuda
