// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel may do with values that it has at hand for its current work item only: the sums of
// a product's tile, a row in scratch. Whoever reads them gets the element of that item, so that
// every reader must want its own position and no other.

#ifndef ASHLAR_CODEGEN_COMMON_INPLACE_H
#define ASHLAR_CODEGEN_COMMON_INPLACE_H

#include "dialects/Graph/Graph.h"

namespace ashlar {

/// Checks that `values`, and all that is computed from them in their block, are read element by
/// element at their own position: by elementwise ops of the same dimensions, by softmax and the
/// first operand of a norm, and by the terminator (through reshapes too, which keep the order in
/// memory, if `mayReshapeResults`). Emits an error at the reader that is none of these.
mlir::LogicalResult verifyReadInPlace(llvm::ArrayRef<mlir::Value> values, bool mayReshapeResults);

} // namespace ashlar

#endif
