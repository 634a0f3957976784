// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types: their names, sizes, and the conversions between them.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "absl/status/status.h"

namespace ashlar {

// The first nine have the values of fb::DType, so that the artifact's type is a cast away; the rest
// occur in checkpoints only.
enum class DType : int8_t {
  kF32,
  kF16,
  kBF16,
  kF64,
  kI64,
  kI32,
  kI8,
  kU8,
  kBool,
  kI16,
  kU16,
  kU32,
  kU64,
  kF8E4M3,
  kF8E5M2,
};
inline constexpr int kNumArtifactDTypes = 9;
inline constexpr int kNumDTypes = 15;

// Returns bytes per element.
int DTypeSize(DType dtype);

// Returns the name that safetensors uses: "F32", "BF16", "I64", "BOOL", ...
std::string_view DTypeName(DType dtype);

// The inverse of DTypeName; nothing for a name that is not known.
std::optional<DType> ParseDTypeName(std::string_view name);

// F64, F32, F16, BF16 (the 8-bit floats are only listed).
bool IsFloat(DType dtype);

// Signed and unsigned integers and Bool.
bool IsInteger(DType dtype);

inline float BF16ToF32(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

// Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
inline uint16_t F32ToBF16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16, quiet = bits >> 16 | 0x40;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

// Exact; a NaN keeps its payload.
inline float F16ToF32(uint16_t bits) {
  // The exponent's field means 2^112 times as much in f32, of subnormal numbers too.
  uint32_t magnitude = static_cast<uint32_t>(bits & 0x7fff) << 13;
  float value;
  std::memcpy(&value, &magnitude, sizeof(value));
  value *= 0x1p112f;
  std::memcpy(&magnitude, &value, sizeof(value));
  uint32_t special = static_cast<uint32_t>(bits & 0x3ff) << 13 | 0x7f800000u;
  uint32_t wide = (bits & 0x7c00) == 0x7c00 ? special : magnitude;
  wide |= static_cast<uint32_t>(bits & 0x8000) << 16;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

// Rounds to nearest, ties to even; beyond 65504 + half a step becomes infinity.
uint16_t F32ToF16(float value);

// Writes `count` elements of a float or integer type at `source` (any alignment) as f32. The 8-bit
// floats are not supported (returns false).
bool ToFloats(DType dtype, const void* source, int64_t count, float* out);

// Converts `count` elements: integers and Bool to any integer type that holds each value (Bool:
// anything non-zero is true), floats to floats (rounded), integers to floats. Floats to integers,
// and a value that does not fit, are InvalidArgument errors that name the element. `source` and
// `out` do not overlap, any alignment.
absl::Status ConvertElements(DType from, const void* source, DType to, void* out, int64_t count);

}  // namespace ashlar
