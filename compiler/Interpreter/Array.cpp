// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Array.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mlir;

namespace ashlar::interpreter {

Array::Array(Type elementType, llvm::ArrayRef<int64_t> shape)
    : elementType(elementType), shape(shape) {
  if (isFloat())
    floats.resize(size());
  else
    integers.resize(size());
}

int64_t Array::count(size_t begin, size_t end) const {
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i)
    product *= shape[i];
  return product;
}

int64_t Array::size() const { return count(0, shape.size()); }

/// Rounds to a narrow floating-point type, to nearest even.
static double roundTo(const llvm::fltSemantics &semantics, double value) {
  llvm::APFloat number(value);
  bool losesInfo;
  number.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return number.convertToDouble();
}

static int64_t wrap(unsigned width, int64_t value) {
  return width >= 64
             ? value
             : static_cast<int64_t>(static_cast<uint64_t>(value) << (64 - width)) >> (64 - width);
}

void Array::round(Precision precision) {
  if (elementType.isF64() || elementType.isInteger(64))
    return;
  if (elementType.isF32()) {
    if (precision == Precision::F32)
      for (double &value : floats)
        value = static_cast<float>(value);
    return;
  }
  if (auto type = dyn_cast<FloatType>(elementType)) {
    for (double &value : floats)
      value = roundTo(type.getFloatSemantics(), value);
    return;
  }
  unsigned width = elementType.getIntOrFloatBitWidth();
  for (int64_t &value : integers)
    value = width == 1 ? value != 0 : wrap(width, value);
}

Array Array::fromConstant(ElementsAttr value) {
  Array array(value.getElementType(), value.getShapedType().getShape());
  int64_t i = 0;
  if (array.isFloat())
    for (const APFloat &element : value.getValues<APFloat>())
      array.floats[i++] = element.convertToDouble();
  else
    for (const APInt &element : value.getValues<APInt>())
      array.integers[i++] =
          array.elementType.isInteger(1) ? element.getZExtValue() : element.getSExtValue();
  return array;
}

std::string describe(const Array &array) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (int64_t extent : array.shape)
    os << extent << "x";
  os << array.elementType;
  return text;
}

std::string compare(const Array &found, const Array &expected, double tolerance) {
  if (found.shape != expected.shape)
    return "is " + describe(found) + ", expected " + describe(expected);
  double largest = 1e-30, worst = -1;
  int64_t at = 0;
  for (int64_t i = 0; i < expected.size(); ++i)
    if (std::isfinite(expected.number(i)))
      largest = std::max(largest, std::fabs(expected.number(i)));
  for (int64_t i = 0; i < expected.size(); ++i) {
    double want = expected.number(i), got = found.number(i);
    if (std::isnan(want) || want == got)
      continue;
    double difference = std::fabs(got - want);
    if (std::isnan(difference) || difference > worst) {
      worst = std::isnan(difference) ? INFINITY : difference;
      at = i;
    }
  }
  if (worst <= tolerance * largest)
    return "";
  std::string text;
  llvm::raw_string_ostream(text) << "element " << at
                                 << llvm::format(" is %.9g, expected %.9g: off by %.3g",
                                                 found.number(at), expected.number(at), worst)
                                 << llvm::format(", the largest expected value is %.3g", largest);
  return text;
}

} // namespace ashlar::interpreter
