// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The matrix units' number formats as floats.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace ashlar::emulator {

inline float FloatFromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline float FloatFromBf16(uint16_t bits) { return FloatFromBits(uint32_t{bits} << 16); }

inline float FloatFromF16(uint16_t bits) {
  uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  uint32_t exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return FloatFromBits(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return FloatFromBits(sign | (exponent + 112) << 23 | fraction << 13);
  float magnitude = std::ldexp(static_cast<float>(fraction), -24);
  return sign ? -magnitude : magnitude;
}

// The matrix unit ignores the 13 low bits of a tf32 operand.
inline float Tf32(uint32_t bits) { return FloatFromBits(bits & ~0x1fffu); }

}  // namespace ashlar::emulator
