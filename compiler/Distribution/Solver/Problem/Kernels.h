// The inner loops, compiled for several instruction sets; all give the same bits.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_KERNELS_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_KERNELS_H

#include <cstddef>

namespace ashlar::solver::detail {

/// out[y] = min over x of (costs[x] + matrix[x][y]), for a row-major rows x columns matrix.
void minimiseRows(const double *costs, const double *matrix, size_t rows, size_t columns,
                  double *out);

/// out[i] = min over x of (kept[x] + sum over f of functions[f][i * strides[f] + x]), for i below
/// `count` and x below `width`. `scratch` holds `width` values.
void minimiseSums(const double *kept, const double *const *functions, const ptrdiff_t *strides,
                  size_t functionCount, size_t count, size_t width, double *scratch, double *out);

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_KERNELS_H
