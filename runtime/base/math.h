// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic on sizes that come from files: every step says whether it overflowed.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

namespace ashlar {

// Sets *out = a + b (a * b); returns false, leaving *out alone, when the result does not fit.
template <typename T>
bool CheckedAdd(T a, T b, T* out) {
  static_assert(std::is_integral_v<T>);
  T result;
  if (__builtin_add_overflow(a, b, &result)) return false;
  *out = result;
  return true;
}
template <typename T>
bool CheckedMul(T a, T b, T* out) {
  static_assert(std::is_integral_v<T>);
  T result;
  if (__builtin_mul_overflow(a, b, &result)) return false;
  *out = result;
  return true;
}

// Returns whether bytes [offset, offset + bytes) lie in [0, size).
inline bool RangeFits(uint64_t offset, uint64_t bytes, uint64_t size) {
  return offset <= size && bytes <= size - offset;
}

// Sets *elements to the product of the extents; false when one is negative or the product
// overflows. The product of no extents is 1; one zero makes it 0 whatever the others are.
inline bool CheckedElements(const std::vector<int64_t>& shape, int64_t* elements) {
  int64_t product = 1;
  bool zero = false;
  for (int64_t extent : shape) {
    if (extent < 0) return false;
    if (extent == 0) zero = true;
  }
  for (int64_t extent : shape)
    if (!zero && !CheckedMul(product, extent, &product)) return false;
  *elements = zero ? 0 : product;
  return true;
}

// Returns value rounded up to a multiple of `multiple` (the caller knows that it does not
// overflow).
template <typename T>
constexpr T RoundUp(T value, T multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// As RoundUp, checked.
template <typename T>
bool CheckedRoundUp(T value, T multiple, T* out) {
  T sum;
  if (!CheckedAdd<T>(value, multiple - 1, &sum)) return false;
  *out = sum / multiple * multiple;
  return true;
}

}  // namespace ashlar
