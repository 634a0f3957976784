// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The types of kernel text: integers of known width, f16 and bf16 of our own (conversions are in
// device_cuda.h and device_emulator.h), and groups of elements that move as one access.
#pragma once

namespace ashlar {

using int8 = signed char;
using int32 = int;
using int64 = long long;
using uint8 = unsigned char;
using uint16 = unsigned short;
using uint32 = unsigned int;
using uint64 = unsigned long long;

struct f16 {
  uint16 bits;
};
struct bf16 {
  uint16 bits;
};

/// N elements that are loaded and stored at once: at most 16 bytes, aligned to their size.
template <typename T, int N>
struct alignas(sizeof(T) * N) Vec {
  static_assert(sizeof(T) * N <= 16 && (N & (N - 1)) == 0, "a vector has 1 to 16 bytes");
  T element[N];
};

/// Elements in 16 bytes.
template <typename T>
inline constexpr int kVectorWidth = 16 / sizeof(T);

inline constexpr uint32 kWarpSize = 32;
inline constexpr uint32 kAllLanes = 0xffffffffu;

} // namespace ashlar
