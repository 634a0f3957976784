// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interpreter's values: whole arrays, row-major, held wide (double or int64) whatever the
// element type says. The element type decides how elements are rounded after each op, see round().

#ifndef ASHLAR_COMPILER_INTERPRETER_ARRAY_H
#define ASHLAR_COMPILER_INTERPRETER_ARRAY_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

#include <memory>
#include <vector>

namespace ashlar::interpreter {

/// How f32 values are kept: rounded to f32 after each op, or as f64 throughout. f16 and bf16 round
/// in both.
enum class Precision { F32, F64 };

struct Array {
  mlir::Type elementType;
  std::vector<int64_t> shape;
  std::vector<double> floats;    // when elementType is a FloatType
  std::vector<int64_t> integers; // otherwise; an i1 is 0 or 1

  Array() = default;
  /// All zeros.
  Array(mlir::Type elementType, llvm::ArrayRef<int64_t> shape);

  bool isFloat() const { return mlir::isa<mlir::FloatType>(elementType); }
  int64_t size() const;
  /// The product of the extents of dimensions [begin, end).
  int64_t count(size_t begin, size_t end) const;
  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  /// Element i as a double, whatever the type.
  double number(int64_t i) const {
    return isFloat() ? floats[i] : static_cast<double>(integers[i]);
  }
  void copyElement(int64_t to, const Array &source, int64_t from) {
    if (isFloat())
      floats[to] = source.floats[from];
    else
      integers[to] = source.integers[from];
  }

  /// Rounds every element to what the element type holds: f32 only under Precision::F32, integers
  /// wrap.
  void round(Precision precision);

  static Array fromConstant(mlir::ElementsAttr value);
};
using ArrayPtr = std::shared_ptr<const Array>;

/// Writes `2x3xf32`.
std::string describe(const Array &array);

/// Whether two arrays are equal within `tolerance` times the largest magnitude expected (at least
/// 1e-30). NaN in `expected` marks what is not compared. Returns an explanation of the worst
/// difference, or nothing.
std::string compare(const Array &found, const Array &expected, double tolerance);

} // namespace ashlar::interpreter

#endif
