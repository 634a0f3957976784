// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluating fb::Extent: ceil(scale * product of values[dims] / divisor).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/base/math.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// For extents that were verified at the bound: no index is out of range, nothing overflows (extents
// grow with their dims, so what fits at the bound fits below it).
inline int64_t Evaluate(const fb::ExtentT& extent, const int64_t* values) {
  int64_t product = extent.scale;
  for (uint16_t dim : extent.dims) product *= values[dim];
  return extent.divisor == 1 ? product : product / extent.divisor + (product % extent.divisor != 0);
}

// The sum of several.
inline int64_t Evaluate(const std::vector<std::unique_ptr<fb::ExtentT>>& terms,
                        const int64_t* values) {
  int64_t sum = 0;
  for (const auto& term : terms) sum += Evaluate(*term, values);
  return sum;
}

// For extents that were not: false when an index is out of range, the scale is negative, the
// divisor is not positive or something overflows. Values are not negative.
inline bool CheckedEvaluate(const fb::ExtentT& extent, const std::vector<int64_t>& values,
                            int64_t* out) {
  if (extent.scale < 0 || extent.divisor <= 0) return false;
  int64_t product = extent.scale;
  for (uint16_t dim : extent.dims) {
    if (dim >= values.size()) return false;
    // A zero among the values must not hide an overflow at other values.
    if (!CheckedMul(product, values[dim], &product)) return false;
  }
  *out = product / extent.divisor + (product % extent.divisor != 0);
  return true;
}

// Whether the extent is one dimension as it is (and which).
inline bool IsPlainDim(const fb::ExtentT& extent) {
  return extent.dims.size() == 1 && extent.scale == 1 && extent.divisor == 1;
}

}  // namespace ashlar
