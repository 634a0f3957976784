// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parts of a checkpoint's tensors: ranges of them, and what a rank holds.
#pragma once

#include <memory>

#include "runtime/memory/tensor_source.h"

namespace ashlar {

// Reads of `whole` the ranges that parts name (WeightPart.range), what the rank holds of those that
// are cut (WeightPart.cuts), padded with zeros to the part's shape, and other parts as they are.
// Nothing else of a tensor is touched. `whole` outlives what is returned.
std::unique_ptr<TensorSource> ShardSource(const TensorSource& whole, int rank);

}  // namespace ashlar
