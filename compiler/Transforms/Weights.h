// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which values are weights: parameters, or parameters side by side.

#ifndef ASHLAR_COMPILER_TRANSFORMS_WEIGHTS_H
#define ASHLAR_COMPILER_TRANSFORMS_WEIGHTS_H

#include "dialects/Graph/Graph.h"

namespace ashlar {

/// Returns the state if the value is the whole of a parameter, else null.
graph::StateOp getParameter(mlir::Value value);

/// Returns the parameters that a weight is made of, in order: one for a reading (of all of it or of
/// its first rows), several for their concatenation. Empty where the value is no weight, as a
/// concatenation is not that must be computed for one of its readers.
llvm::SmallVector<graph::StateOp> getWeightParts(mlir::Value value);

/// Whether the value is a parameter of f32 that ranks gather row by row, [N, K], for nothing but
/// products that read it transposed: where products read panels, it is packed as it comes.
bool isGatheredWeight(mlir::Value value);

/// Whether the product's right operand can be packed in panels: a gathered weight, or a weight [K,
/// N] (or [N, K] transposed), concatenated along N if at all, of f32 or bf16.
bool hasPackedWeight(graph::MatmulOp product);

/// The same where the right operand is (an argument that stands for) `weight`.
bool hasPackedWeight(graph::MatmulOp product, mlir::Value weight);

} // namespace ashlar

#endif
