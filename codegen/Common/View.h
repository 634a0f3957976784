// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where an element of a value lies in memory. A chain of slices, reshapes and transposes over a
// kernel's argument is no computation: it is another way to address the argument's buffer. Merged
// query-key-value products are read so.
//
//   %q = slice %qkv axis 2 from 768 size 768; reshape to [batch, seq, 12, 64]
//   =>  buffer %qkv, offset 768, strides [2304 * seq, 2304, 64, 1]

#ifndef ASHLAR_CODEGEN_COMMON_VIEW_H
#define ASHLAR_CODEGEN_COMMON_VIEW_H

#include "dialects/Graph/Graph.h"

#include <optional>

namespace ashlar {

struct View {
  mlir::BlockArgument buffer;
  int64_t offset = 0; // elements
  graph::Dims dims;
  llvm::SmallVector<graph::Monomial> strides; // elements, per dimension

  bool isContiguousInLast() const;
  /// Whether the elements lie in row-major order without gaps.
  bool isCompact() const;
};

/// Returns the view, or nothing where the value is computed (or is a reshape that no strides
/// express).
std::optional<View> getView(mlir::Value value);

/// Row-major strides of a compact tensor.
llvm::SmallVector<graph::Monomial> getCompactStrides(llvm::ArrayRef<graph::Dim> dims);

} // namespace ashlar

#endif
