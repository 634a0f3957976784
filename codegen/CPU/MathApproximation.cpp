// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/CPU/MathApproximation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

namespace ashlar::cpu {

namespace {

/// Arithmetic in the shape of the argument.
class Shape {
public:
  Shape(ImplicitLocOpBuilder &b, Value like) : b(b), f32(like.getType()) {
    i32 = withElement(b.getI32Type());
    f64 = withElement(b.getF64Type());
  }

  ImplicitLocOpBuilder &b;
  Type f32, i32, f64;

  Type withElement(Type element) const {
    auto vector = dyn_cast<VectorType>(f32);
    return vector ? VectorType::get(vector.getShape(), element) : element;
  }
  Value number(Type type, Attribute scalar) {
    if (auto vector = dyn_cast<VectorType>(type))
      return arith::ConstantOp::create(b, SplatElementsAttr::get(vector, scalar));
    return arith::ConstantOp::create(b, cast<TypedAttr>(scalar));
  }
  Value real(double value) { return number(f32, b.getF32FloatAttr(static_cast<float>(value))); }
  Value wide(double value) { return number(f64, b.getF64FloatAttr(value)); }
  Value integer(int32_t value) { return number(i32, b.getI32IntegerAttr(value)); }

  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
  Value fma(Value x, Value y, Value z) { return math::FmaOp::create(b, x, y, z); }
  Value less(Value x, Value y) { return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y); }
  Value select(Value c, Value x, Value y) { return arith::SelectOp::create(b, c, x, y); }
  Value abs(Value x) { return math::AbsFOp::create(b, x); }
  Value bits(Value x) { return arith::BitcastOp::create(b, i32, x); }
  Value fromBits(Value x) { return arith::BitcastOp::create(b, f32, x); }
  Value addi(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value subi(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
  Value andi(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
  Value shl(Value x, int32_t n) { return arith::ShLIOp::create(b, x, integer(n)); }
  Value shr(Value x, int32_t n) { return arith::ShRSIOp::create(b, x, integer(n)); }
  /// |x| with the sign of `sign`.
  Value copySign(Value x, Value sign) { return math::CopySignOp::create(b, x, sign); }

  /// c0 + c1 x + c2 x^2 + ...
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value sum = real(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, real(coefficient));
    return sum;
  }
  /// 2^n for n an integer in [-126, 127].
  Value powerOfTwo(Value n) { return fromBits(shl(addi(n, integer(127)), 23)); }
};

Value buildExp(Shape &s, Value x, bool isNotPositive = false) {
  // Comparisons are written so that a NaN passes through.
  Value tooSmall = s.less(x, s.real(-87.33));
  Value clamped = s.select(tooSmall, s.real(-87.33), x);
  if (!isNotPositive)
    clamped = s.select(s.less(s.real(89.0), clamped), s.real(89.0), clamped);
  Value n = math::RoundEvenOp::create(s.b, s.mul(clamped, s.real(1.44269504088896341)));
  Value r = s.fma(n, s.real(-0.693359375), clamped);
  r = s.fma(n, s.real(2.12194440054690583e-4), r);
  Value p = s.polynomial(r, {0.4999999403953552, 0.1666651964187622, 0.041668400168418884,
                             0.008368851616978645, 0.0013814318226650357});
  Value result = s.add(s.fma(s.mul(r, r), p, r), s.real(1.0));
  Value whole = arith::FPToSIOp::create(s.b, s.i32, n);
  if (isNotPositive)
    return s.select(tooSmall, s.real(0.0), s.mul(result, s.powerOfTwo(whole)));
  // 2^128 is no f32; two factors reach it, and overflow to infinity beyond.
  Value half = s.shr(whole, 1);
  result = s.mul(s.mul(result, s.powerOfTwo(half)), s.powerOfTwo(s.subi(whole, half)));
  return s.select(tooSmall, s.real(0.0), result);
}

Value buildLog(Shape &s, Value x) {
  // Subnormal arguments are scaled into the normal range.
  Value isSmall = s.less(x, s.real(1.17549435e-38));
  Value scaled = s.select(isSmall, s.mul(x, s.real(8388608.0)), x);
  Value bits = s.bits(scaled);
  // Subtracting the bits of sqrt 1/2 puts the exponent's border there.
  Value exponent = s.shr(s.subi(bits, s.integer(0x3f3504f3)), 23);
  Value mantissa = s.fromBits(s.subi(bits, s.shl(exponent, 23)));
  Value n = arith::SIToFPOp::create(s.b, s.f32,
                                    s.select(isSmall, s.subi(exponent, s.integer(23)), exponent));
  Value f = s.sub(mantissa, s.real(1.0)), z = s.mul(f, f);
  Value p = s.polynomial(f, {0.3333331048488617, -0.24999986588954926, 0.20002226531505585,
                             -0.16669251024723053, 0.14218658208847046, -0.1238434836268425,
                             0.11872976273298264, -0.11789807677268982, 0.06915368139743805});
  Value result =
      s.fma(s.mul(z, f), p, s.fma(n, s.real(-2.12194440054690583e-4), s.mul(z, s.real(-0.5))));
  result = s.add(s.add(f, result), s.mul(n, s.real(0.693359375)));
  double infinity = std::numeric_limits<double>::infinity();
  Value isZero = arith::CmpFOp::create(s.b, arith::CmpFPredicate::OEQ, x, s.real(0.0));
  Value isInfinite = arith::CmpFOp::create(s.b, arith::CmpFPredicate::OEQ, x, s.real(infinity));
  Value isBad = arith::CmpFOp::create(s.b, arith::CmpFPredicate::ULT, x, s.real(0.0));
  result = s.select(isInfinite, x, s.select(isZero, s.real(-infinity), result));
  return s.select(isBad, s.real(std::numeric_limits<double>::quiet_NaN()), result);
}

Value buildTanh(Shape &s, Value x) {
  Value a = s.abs(x), z = s.mul(x, x);
  Value p = s.polynomial(z, {-0.3333328068256378, 0.13331441581249237, -0.05373971164226532,
                             0.020639078691601753, -0.005704978480935097});
  Value small = s.fma(s.mul(x, z), p, x);
  Value power = buildExp(s, s.add(a, a));
  Value large = s.sub(s.real(1.0), s.div(s.real(2.0), s.add(power, s.real(1.0))));
  return s.select(s.less(a, s.real(0.625)), small, s.copySign(large, x));
}

Value buildErf(Shape &s, Value x) {
  Value a = s.abs(x), z = s.mul(x, x);
  Value p = s.polynomial(z, {1.1283791065216064, -0.3761262595653534, 0.1128358542919159,
                             -0.026853810995817184, 0.005188327748328447, -0.0008010192541405559,
                             7.853857823647559e-05});
  Value small = s.mul(x, p);
  Value t = s.sub(s.select(s.less(s.real(4.0), a), s.real(4.0), a), s.real(2.0));
  Value q =
      s.polynomial(t, {5.364941120147705, 4.418160915374756, 0.9237510561943054,
                       0.016465911641716957, -0.0035707149654626846, 0.0007296906551346183,
                       -0.00013782107271254063, 2.208937621617224e-05, 2.2417468414914765e-07});
  Value large = s.sub(s.real(1.0), buildExp(s, arith::NegFOp::create(s.b, q), true));
  return s.select(s.less(a, s.real(1.0)), small, s.copySign(large, x));
}

/// sin for quadrant 0, cos for quadrant 1.
Value buildWave(Shape &s, Value x, int32_t quadrant) {
  Value wide = arith::ExtFOp::create(s.b, s.f64, x);
  Value n = math::RoundEvenOp::create(
      s.b, arith::MulFOp::create(s.b, wide, s.wide(0.63661977236758134308)));
  Value r = math::FmaOp::create(s.b, n, s.wide(-1.57079632679489655800), wide);
  r = math::FmaOp::create(s.b, n, s.wide(-6.12323399573676603587e-17), r);
  Value y = arith::TruncFOp::create(s.b, s.f32, r);
  Value k = s.addi(arith::FPToSIOp::create(s.b, s.i32, n), s.integer(quadrant));
  Value z = s.mul(y, y);
  Value sine = s.fma(s.mul(y, z),
                     s.polynomial(z, {-0.1666666716337204, 0.008333329111337662,
                                      -0.0001983930415008217, 2.7180462893738877e-06}),
                     y);
  Value cosine = s.fma(s.mul(z, z),
                       s.polynomial(z, {0.0416666679084301, -0.0013888883404433727,
                                        2.479945214872714e-05, -2.7205044261791045e-07}),
                       s.fma(z, s.real(-0.5), s.real(1.0)));
  Value isCosine =
      arith::CmpIOp::create(s.b, arith::CmpIPredicate::ne, s.andi(k, s.integer(1)), s.integer(0));
  Value result = s.select(isCosine, cosine, sine);
  Value isNegative =
      arith::CmpIOp::create(s.b, arith::CmpIPredicate::ne, s.andi(k, s.integer(2)), s.integer(0));
  return s.select(isNegative, arith::NegFOp::create(s.b, result), result);
}

} // namespace

void approximateMath(Operation *root) {
  SmallVector<Operation *> ops;
  root->walk([&](Operation *op) {
    if (isa<math::ExpOp, math::LogOp, math::TanhOp, math::ErfOp, math::SinOp, math::CosOp>(op) &&
        getElementTypeOrSelf(op->getResult(0).getType()).isF32())
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    ImplicitLocOpBuilder b(op->getLoc(), op);
    Value x = op->getOperand(0);
    Shape s(b, x);
    Value y;
    if (isa<math::ExpOp>(op))
      y = buildExp(s, x, op->hasAttr(kNotPositiveAttr));
    else if (isa<math::LogOp>(op))
      y = buildLog(s, x);
    else if (isa<math::TanhOp>(op))
      y = buildTanh(s, x);
    else if (isa<math::ErfOp>(op))
      y = buildErf(s, x);
    else
      y = buildWave(s, x, isa<math::CosOp>(op) ? 1 : 0);
    op->getResult(0).replaceAllUsesWith(y);
    op->erase();
  }
}

} // namespace ashlar::cpu
