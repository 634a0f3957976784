// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementary functions as polynomials on f32 scalars and vectors: no library calls, the same bits
// in every lane. Each polynomial was fitted to minimise its largest relative error; the error given
// is the fit's own, before rounding to f32. test/execute/OpsTest.cpp holds the ops that use them
// against double precision.
//
//   exp    2^n (1 + r + r^2 P4(r)), r = x - n ln 2 in [-ln 2 / 2, ln 2 / 2]   3e-9; 0 below -87.33
//   log    n ln 2 + f - f^2 / 2 + f^3 P8(f), 1 + f in [sqrt 1/2, sqrt 2)      7e-10, in units of f
//   tanh   x + x^3 P4(x^2) below 0.625, else 1 - 2 / (e^2x + 1)               4e-9 below 0.625
//   erf    x P6(x^2) below 1, else 1 - exp(-P8(x - 2)), 1 from 4 on           1e-9 below 1
//   sin, cos  x reduced by multiples of pi / 2 in double precision            5e-12, |x| < 2^30

#ifndef ASHLAR_CODEGEN_CPU_MATHAPPROXIMATION_H
#define ASHLAR_CODEGEN_CPU_MATHAPPROXIMATION_H

#include "mlir/IR/Operation.h"

namespace ashlar::cpu {

/// On a math.exp whose argument is not positive, or not a number. A positive one gives any number.
inline constexpr llvm::StringLiteral kNotPositiveAttr = "ashlar.not_positive";

/// Replaces math.exp, log, tanh, erf, sin and cos on f32 in everything below `root`.
void approximateMath(mlir::Operation *root);

} // namespace ashlar::cpu

#endif
