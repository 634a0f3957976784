// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one loop in which a whole model's time goes, apart because it is compiled with full
// optimisation and without MLIR's headers.

#ifndef ASHLAR_COMPILER_INTERPRETER_LOOPS_H
#define ASHLAR_COMPILER_INTERPRETER_LOOPS_H

#include <cstdint>

namespace ashlar::interpreter {

/// c [m, n] += a [m, k] b [k, n], each element summed in the order of k.
void multiplyAdd(int64_t m, int64_t n, int64_t k, const double *a, const double *b, double *c);

} // namespace ashlar::interpreter

#endif
