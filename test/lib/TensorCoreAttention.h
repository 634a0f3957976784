// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arithmetic of codegen/CUDA/kernels/attention_mma.cuh as an evaluation of graph.attention: the
// interpreter of a graph in which queries, keys and values are rounded agrees with the device to
// f32 then, and what is left over is a defect.

#ifndef ASHLAR_TEST_LIB_TENSORCOREATTENTION_H
#define ASHLAR_TEST_LIB_TENSORCOREATTENTION_H

#include "compiler/Interpreter/Evaluation.h"

namespace ashlar::test {

/// The evaluations of all ops; attention goes over its keys in tiles of 64 with an online softmax,
/// multiplies values of `element` (bf16 or f16: queries, keys and values are rounded to it), and
/// rounds the weights of the softmax to it, relative to the maximum of the tiles so far, before
/// they are multiplied with the values. Their sum is that of the weights as they were. Parts of the
/// keys are attention of their own.
interpreter::Evaluations getTensorCoreEvaluations(mlir::Type element);

} // namespace ashlar::test

#endif
