// Offsets that satisfy several alignments at once, each seen from a different distance: members of
// an alias class.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_MEMORY_PLANNER_CONGRUENCE_H
#define ASHLAR_COMPILER_MEMORY_PLANNER_CONGRUENCE_H

#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>

namespace ashlar::planner {

/// The numbers x = residue (mod modulus), with 0 <= residue < modulus.
struct Congruence {
  int64_t modulus = 1;
  int64_t residue = 0;
};

/// Returns the numbers in both classes (the Chinese remainder theorem for moduli that need not be
/// coprime), or nothing where there are none or their modulus is above 2^61.
inline std::optional<Congruence> intersect(Congruence a, Congruence b) {
  int64_t common = std::gcd(a.modulus, b.modulus);
  if ((a.residue - b.residue) % common != 0)
    return std::nullopt;
  __int128 modulus = __int128(a.modulus / common) * b.modulus;
  if (modulus > (int64_t(1) << 61))
    return std::nullopt;
  // x = a.residue + a.modulus * k, where k = (b.residue - a.residue) / a.modulus in the ring of
  // b.modulus / common.
  int64_t ring = b.modulus / common, value = a.modulus / common % ring;
  int64_t inverse = 0, next = 1, rest = ring, divisor = value; // extended Euclid
  while (divisor != 0) {
    int64_t quotient = rest / divisor;
    std::swap(inverse, next);
    next -= quotient * inverse;
    std::swap(rest, divisor);
    divisor -= quotient * rest;
  }
  if (ring == 1)
    inverse = 0;
  __int128 k = __int128((b.residue - a.residue) / common) % ring * inverse % ring;
  __int128 x = (a.residue + a.modulus * k) % modulus;
  return Congruence{int64_t(modulus), int64_t(x < 0 ? x + modulus : x)};
}

/// The offsets of an alias class whose member `delta` bytes behind has this alignment.
inline Congruence alignedAt(int64_t delta, int64_t alignment) {
  int64_t residue = -delta % alignment;
  return {alignment, residue < 0 ? residue + alignment : residue};
}

} // namespace ashlar::planner

#endif // ASHLAR_COMPILER_MEMORY_PLANNER_CONGRUENCE_H
