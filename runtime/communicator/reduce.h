// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementwise combination of several arrays, in their order.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/communicator/communicator.h"

namespace ashlar {

// Writes the combination of elements [begin, end) of all `inputs` to the same elements of all
// `outputs`, which may be inputs. f16 and bf16 are widened, combined in f32 and rounded once;
// integers wrap around. Maximum and minimum of a NaN and a number are the first of the two in
// order.
void ReduceElements(DType dtype, Reduction reduction, const std::vector<const void*>& inputs,
                    const std::vector<void*>& outputs, int64_t begin, int64_t end);

}  // namespace ashlar
