// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dimensions as values. A tensor's dimension is a number or a name (`#graph.dims` on the type);
// everything that computes types or sizes works on lists of Dim and never on the encoding itself.
//
//   tensor<?x?x768xf32, #graph.dims<[batch, seq, _]>>   <->   {batch, seq, 768} and f32
//
// Sizes that depend on names are Polynomials: sums of (scale * product of names), e.g. 2 * batch *
// seq * 768 * 768.

#ifndef ASHLAR_DIALECTS_GRAPH_GRAPHDIMS_H
#define ASHLAR_DIALECTS_GRAPH_GRAPHDIMS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

#include <functional>
#include <optional>

namespace ashlar::graph {

/// A dimension: a name (size is meaningless) or a number (name is null).
struct Dim {
  mlir::StringAttr name;
  int64_t size = 0;

  static Dim number(int64_t size) { return Dim{nullptr, size}; }
  static Dim named(mlir::StringAttr name) { return Dim{name, mlir::ShapedType::kDynamic}; }
  bool isNumber() const { return !name; }
  bool isOne() const { return !name && size == 1; }
  bool operator==(const Dim &other) const {
    return name == other.name && (name || size == other.size);
  }
  bool operator!=(const Dim &other) const { return !(*this == other); }
};
using Dims = llvm::SmallVector<Dim, 4>;

/// Returns the dimensions of a tensor. A `?` without a name gives a named Dim with an empty name.
Dims getDims(mlir::RankedTensorType type);

/// Returns the tensor with these dimensions; it carries an encoding exactly when one of them is
/// named.
mlir::RankedTensorType getTensor(mlir::ArrayRef<Dim> dims, mlir::Type elementType);

/// Returns the type with another element type and the same dimensions.
mlir::RankedTensorType withElementType(mlir::RankedTensorType type, mlir::Type elementType);

/// Broadcasts as NumPy does (aligned at the last dimension, 1 stretches). Fails where two
/// dimensions differ.
mlir::FailureOr<Dims> broadcast(mlir::ArrayRef<Dim> a, mlir::ArrayRef<Dim> b);

/// Writes `batch x seq x 768`.
std::string toString(mlir::ArrayRef<Dim> dims);
std::string toString(const Dim &dim);

/// scale * product of names.
struct Monomial {
  int64_t scale = 1;
  llvm::SmallVector<mlir::StringAttr, 2> names;
};

/// A sum of monomials.
struct Polynomial {
  llvm::SmallVector<Monomial, 2> terms;

  Polynomial() = default;
  explicit Polynomial(int64_t constant) { terms.push_back({constant, {}}); }
  Polynomial &operator+=(const Polynomial &other);
  Polynomial &operator*=(int64_t factor);
  /// The value at the given extents.
  double evaluate(llvm::function_ref<int64_t(mlir::StringAttr)> extent) const;
};

/// The number of elements, a single monomial.
Polynomial getElementCount(mlir::ArrayRef<Dim> dims);

/// Bytes of a tensor or cache; an i1 takes one byte.
Polynomial getByteSize(mlir::Type type);
int64_t getElementBytes(mlir::Type elementType);

} // namespace ashlar::graph

#endif
