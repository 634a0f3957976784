// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/dtype.h"

#include <cmath>
#include <limits>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

// memcpy, but of no bytes there may be no place either.
void CopyBytes(void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

struct DTypeInfo {
  std::string_view name;
  int size;
};
constexpr DTypeInfo kInfo[kNumDTypes] = {
    {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8},     {"I64", 8},
    {"I32", 4}, {"I8", 1},  {"U8", 1},   {"BOOL", 1},    {"I16", 2},
    {"U16", 2}, {"U32", 4}, {"U64", 8},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
};

template <typename T>
T Load(const void* source, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(source) + index * static_cast<int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

template <typename T>
void Store(void* out, int64_t index, T value) {
  std::memcpy(static_cast<char*>(out) + index * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

double LoadFloat(DType dtype, const void* source, int64_t i) {
  switch (dtype) {
    case DType::kF64:
      return Load<double>(source, i);
    case DType::kF16:
      return F16ToF32(Load<uint16_t>(source, i));
    case DType::kBF16:
      return BF16ToF32(Load<uint16_t>(source, i));
    default:
      return Load<float>(source, i);
  }
}

// An integer of any of the types: the value is `bits` as signed, or as unsigned when is_large (a
// U64 above 2^63).
struct Integer {
  int64_t value;
  bool is_large;
};

Integer LoadInteger(DType dtype, const void* source, int64_t i) {
  switch (dtype) {
    case DType::kI64:
      return {Load<int64_t>(source, i), false};
    case DType::kI32:
      return {Load<int32_t>(source, i), false};
    case DType::kI16:
      return {Load<int16_t>(source, i), false};
    case DType::kI8:
      return {Load<int8_t>(source, i), false};
    case DType::kU8:
      return {Load<uint8_t>(source, i), false};
    case DType::kU16:
      return {Load<uint16_t>(source, i), false};
    case DType::kU32:
      return {Load<uint32_t>(source, i), false};
    case DType::kBool:
      return {Load<uint8_t>(source, i) != 0, false};
    default: {
      uint64_t value = Load<uint64_t>(source, i);
      return {static_cast<int64_t>(value), value > static_cast<uint64_t>(INT64_MAX)};
    }
  }
}

void StoreFloat(DType dtype, void* out, int64_t i, double value) {
  switch (dtype) {
    case DType::kF64:
      return Store<double>(out, i, value);
    case DType::kF16:
      return Store<uint16_t>(out, i, F32ToF16(static_cast<float>(value)));
    case DType::kBF16:
      return Store<uint16_t>(out, i, F32ToBF16(static_cast<float>(value)));
    default:
      return Store<float>(out, i, static_cast<float>(value));
  }
}

// The conversions that weights go through, for wider registers where the CPU has them.
__attribute__((always_inline)) inline void RoundLoop(const void* source, int64_t count, void* out) {
  for (int64_t i = 0; i < count; ++i) Store<uint16_t>(out, i, F32ToBF16(Load<float>(source, i)));
}
__attribute__((always_inline)) inline void WidenLoop(const void* source, int64_t count,
                                                     float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = F16ToF32(Load<uint16_t>(source, i));
}
__attribute__((target("avx2"))) void RoundAvx2(const void* source, int64_t count, void* out) {
  RoundLoop(source, count, out);
}
__attribute__((target("avx2"))) void WidenAvx2(const void* source, int64_t count, float* out) {
  WidenLoop(source, count, out);
}
void RoundToBF16(const void* source, int64_t count, void* out) {
  __builtin_cpu_supports("avx2") ? RoundAvx2(source, count, out) : RoundLoop(source, count, out);
}
void WidenF16(const void* source, int64_t count, float* out) {
  __builtin_cpu_supports("avx2") ? WidenAvx2(source, count, out) : WidenLoop(source, count, out);
}

template <typename T>
bool StoreChecked(void* out, int64_t i, Integer integer) {
  if constexpr (std::is_same_v<T, uint64_t>) {
    if (integer.value < 0 && !integer.is_large) return false;
    Store<uint64_t>(out, i, static_cast<uint64_t>(integer.value));
    return true;
  } else {
    if (integer.is_large || integer.value < static_cast<int64_t>(std::numeric_limits<T>::min()) ||
        integer.value > static_cast<int64_t>(std::numeric_limits<T>::max()))
      return false;
    Store<T>(out, i, static_cast<T>(integer.value));
    return true;
  }
}

bool StoreInteger(DType dtype, void* out, int64_t i, Integer integer) {
  switch (dtype) {
    case DType::kI64:
      return StoreChecked<int64_t>(out, i, integer);
    case DType::kI32:
      return StoreChecked<int32_t>(out, i, integer);
    case DType::kI16:
      return StoreChecked<int16_t>(out, i, integer);
    case DType::kI8:
      return StoreChecked<int8_t>(out, i, integer);
    case DType::kU8:
      return StoreChecked<uint8_t>(out, i, integer);
    case DType::kU16:
      return StoreChecked<uint16_t>(out, i, integer);
    case DType::kU32:
      return StoreChecked<uint32_t>(out, i, integer);
    case DType::kBool:
      return Store<uint8_t>(out, i, integer.value != 0), true;
    default:
      return StoreChecked<uint64_t>(out, i, integer);
  }
}

// The pairs that weights meet run as simple loops, which the compiler vectorises; the others one by
// one.
void ConvertFloats(DType from, const void* source, DType to, void* out, int64_t count) {
  if (to == DType::kF32 && from != DType::kF64) {
    ToFloats(from, source, count, static_cast<float*>(out));
  } else if (from == DType::kF32 && to == DType::kBF16) {
    RoundToBF16(source, count, out);
  } else {
    for (int64_t i = 0; i < count; ++i) StoreFloat(to, out, i, LoadFloat(from, source, i));
  }
}

}  // namespace

int DTypeSize(DType dtype) { return kInfo[static_cast<int>(dtype)].size; }
std::string_view DTypeName(DType dtype) { return kInfo[static_cast<int>(dtype)].name; }

std::optional<DType> ParseDTypeName(std::string_view name) {
  for (int i = 0; i < kNumDTypes; ++i)
    if (kInfo[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

bool IsFloat(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16 ||
         dtype == DType::kF64;
}

bool IsInteger(DType dtype) {
  return !IsFloat(dtype) && dtype != DType::kF8E4M3 && dtype != DType::kF8E5M2;
}

uint16_t F32ToF16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00 | ((magnitude >> 13) & 0x3ff);
  if (magnitude >= 0x477ff000u) return sign | 0x7c00;  // 65520 and above
  if (magnitude < 0x38800000u) {                       // below 2^-14: a multiple of 2^-24
    float absolute;
    std::memcpy(&absolute, &magnitude, sizeof(absolute));
    return sign | static_cast<uint16_t>(std::nearbyint(absolute * 0x1p24f));
  }
  return sign |
         static_cast<uint16_t>((magnitude - 0x38000000u + 0xfff + ((magnitude >> 13) & 1)) >> 13);
}

bool ToFloats(DType dtype, const void* source, int64_t count, float* out) {
  switch (dtype) {
    case DType::kF32:
      CopyBytes(out, source, count * sizeof(float));
      return true;
    case DType::kBF16:
      for (int64_t i = 0; i < count; ++i) out[i] = BF16ToF32(Load<uint16_t>(source, i));
      return true;
    case DType::kF16:
      WidenF16(source, count, out);
      return true;
    case DType::kF8E4M3:
    case DType::kF8E5M2:
      return false;
    default:
      return ConvertElements(dtype, source, DType::kF32, out, count).ok();
  }
}

absl::Status ConvertElements(DType from, const void* source, DType to, void* out, int64_t count) {
  if (from == to && from != DType::kBool) {
    CopyBytes(out, source, count * DTypeSize(from));
    return absl::OkStatus();
  }
  if (IsFloat(from) && IsFloat(to)) {
    ConvertFloats(from, source, to, out, count);
    return absl::OkStatus();
  }
  if (!IsInteger(from) || !(IsInteger(to) || IsFloat(to)))
    return InvalidArgument("elements of type ", DTypeName(from), " cannot be converted to ",
                           DTypeName(to));
  for (int64_t i = 0; i < count; ++i) {
    Integer integer = LoadInteger(from, source, i);
    if (IsFloat(to)) {
      double value = static_cast<double>(integer.value);
      StoreFloat(to, out, i, integer.is_large ? value + 0x1p64 : value);
    } else if (!StoreInteger(to, out, i, integer)) {
      return InvalidArgument("element ", i, " is ", integer.value, ", which does not fit in ",
                             DTypeName(to));
    }
  }
  return absl::OkStatus();
}

}  // namespace ashlar
