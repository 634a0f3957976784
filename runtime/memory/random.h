// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights from a seed. Element i of a tensor is a function of (seed, the tensor's name, i) alone:
// the same bits whatever the layout it is packed into, the number of threads, or the machine (no
// libm is involved).
//
// A normal variate is the sum of four 16-bit uniforms, the quarters of one hashed word, brought to
// mean 0 and variance 1; it never leaves +-3.4642. For weights that is as good as the normal
// distribution and costs a nanosecond.
#pragma once

#include <cstdint>
#include <string_view>

namespace ashlar {

// The key of a tensor's elements.
uint64_t RandomKey(uint64_t seed, std::string_view tensor);

// splitmix64 (Steele, Lea, Flood 2014), the index as the counter.
inline uint64_t RandomBits(uint64_t key, uint64_t index) {
  uint64_t z = key + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Element `index` before scaling.
inline float RandomNormal(uint64_t key, uint64_t index) {
  constexpr float kUnit =
      2.6429216e-05f;  // sqrt(3 / (2^32 - 1)): the deviation of the integer sum, inverted
  uint64_t bits = RandomBits(key, index);
  int32_t sum = static_cast<int32_t>((bits & 0xffff) + (bits >> 16 & 0xffff) +
                                     (bits >> 32 & 0xffff) + (bits >> 48));
  return static_cast<float>(sum - 2 * 65535) * kUnit;
}

}  // namespace ashlar
