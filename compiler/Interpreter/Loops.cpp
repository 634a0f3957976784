// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Interpreter/Loops.h"

namespace ashlar::interpreter {

void multiplyAdd(int64_t m, int64_t n, int64_t k, const double *a, const double *b,
                 double *__restrict c) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t l = 0; l < k; ++l)
      for (int64_t j = 0; j < n; ++j)
        c[i * n + j] += a[i * k + l] * b[l * n + j];
}

} // namespace ashlar::interpreter
