// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Problem/Kernels.h"

#include <limits>

// One version per instruction set, chosen when the program starts.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__has_attribute) &&                   \
    !defined(__SANITIZE_ADDRESS__)
#if __has_attribute(target_clones)
#define ASHLAR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#endif
#ifndef ASHLAR_CLONES
#define ASHLAR_CLONES
#endif

namespace ashlar::solver::detail {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

} // namespace

ASHLAR_CLONES void minimiseRows(const double *__restrict costs, const double *__restrict matrix,
                                size_t rows, size_t columns, double *__restrict out) {
  for (size_t y = 0; y < columns; ++y)
    out[y] = kInfinite;
  for (size_t x = 0; x < rows; ++x, matrix += columns) {
    const double cost = costs[x];
    for (size_t y = 0; y < columns; ++y) {
      const double sum = cost + matrix[y];
      out[y] = sum < out[y] ? sum : out[y];
    }
  }
}

ASHLAR_CLONES void minimiseSums(const double *__restrict kept, const double *const *functions,
                                const ptrdiff_t *strides, size_t functionCount, size_t count,
                                size_t width, double *__restrict scratch, double *__restrict out) {
  for (size_t i = 0; i < count; ++i) {
    for (size_t x = 0; x < width; ++x)
      scratch[x] = kept[x];
    for (size_t f = 0; f < functionCount; ++f) {
      const double *__restrict costs = functions[f] + ptrdiff_t(i) * strides[f];
      for (size_t x = 0; x < width; ++x)
        scratch[x] += costs[x];
    }
    for (size_t left = width; left > 1;) { // fold the upper half onto the lower one
      const size_t half = (left + 1) / 2;
      for (size_t x = 0; x + half < left; ++x)
        scratch[x] = scratch[x + half] < scratch[x] ? scratch[x + half] : scratch[x];
      left = half;
    }
    out[i] = scratch[0];
  }
}

} // namespace ashlar::solver::detail
