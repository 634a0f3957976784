// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementary functions as polynomials on f32 scalars and vectors: no library calls, the same bits
// in every lane. Each polynomial was fitted to minimise its largest (relative, where not said
// otherwise) error; the stated error is the largest found over all f32 arguments of the range
// against double precision, in units of the last place.
//
//   exp    2^n (1 + r + r^2 P4(r)), r = x - n ln 2 in [-ln 2 / 2, ln 2 / 2]              1.1 ulp; 0
//   below -87.33 log    n ln 2 + f - f^2 / 2 + f^3 P8(f), 1 + f in [sqrt 1/2, sqrt 2) 1 ulp tanh x
//   + x^3 P4(x^2) below 0.625, else 1 - 2 / (e^2x + 1)                          2 ulp erf    x
//   P6(x^2) below 1, else 1 - exp(-P8(x - 2)), 1 from 4 on                      2 ulp sin, cos  x
//   reduced by multiples of pi / 2 in double precision                       1.5 ulp, |x| < 2^30

#ifndef ASHLAR_CODEGEN_CPU_MATHAPPROXIMATION_H
#define ASHLAR_CODEGEN_CPU_MATHAPPROXIMATION_H

#include "mlir/IR/Operation.h"

namespace ashlar::cpu {

/// Replaces math.exp, log, tanh, erf, sin and cos on f32 in everything below `root`.
void approximateMath(mlir::Operation *root);

} // namespace ashlar::cpu

#endif
