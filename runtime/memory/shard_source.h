// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A rank's parts of a checkpoint's tensors.
#pragma once

#include <memory>

#include "runtime/memory/tensor_source.h"

namespace ashlar {

// Reads of `whole` what the rank holds of parts that are cut (WeightPart.cuts), padded with zeros
// to the part's shape, and other parts as they are. Nothing else of a tensor is touched. `whole`
// outlives what is returned.
std::unique_ptr<TensorSource> ShardSource(const TensorSource& whole, int rank);

}  // namespace ashlar
