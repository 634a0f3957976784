// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/reduce.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace ashlar {
namespace {

constexpr int64_t kBlock = 2048;        // elements; inputs, sum and outputs of a block stay in L1
constexpr int64_t kStreamed = 1 << 18;  // bytes from which on outputs are written past the cache

// Sixteen bytes that may lie anywhere.
using Vector = int32_t __attribute__((vector_size(16), aligned(16)));

void Write(const void* from, void* to, int64_t bytes, bool streams) {
#if defined(__has_builtin)
#if __has_builtin(__builtin_nontemporal_store)
  if (streams && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
    auto* source = static_cast<const char*>(from);
    auto* target = static_cast<char*>(to);
    for (; bytes >= 16; bytes -= 16, source += 16, target += 16) {
      Vector value;
      std::memcpy(&value, source, 16);
      __builtin_nontemporal_store(value, reinterpret_cast<Vector*>(target));
    }
    std::memcpy(target, source, bytes);
    return;
  }
#endif
#endif
  std::memcpy(to, from, bytes);
}

template <typename T>
T Combine(Reduction reduction, T a, T b) {
  if (reduction == Reduction::kMax) return a < b ? b : a;
  if (reduction == Reduction::kMin) return b < a ? b : a;
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  } else {
    return a + b;
  }
}

template <typename T, Reduction kReduction>
void Accumulate(const T* from, T* sum, int64_t count) {
  for (int64_t i = 0; i < count; ++i) sum[i] = Combine(kReduction, sum[i], from[i]);
}

template <typename T>
void Accumulate(Reduction reduction, const T* from, T* sum, int64_t count) {
  if (reduction == Reduction::kSum) return Accumulate<T, Reduction::kSum>(from, sum, count);
  if (reduction == Reduction::kMax) return Accumulate<T, Reduction::kMax>(from, sum, count);
  Accumulate<T, Reduction::kMin>(from, sum, count);
}

// T: how elements are stored; Wide: what they are combined in.
template <typename T, typename Wide, Wide (*kWiden)(T), T (*kNarrow)(Wide)>
void Reduce(Reduction reduction, const std::vector<const void*>& inputs,
            const std::vector<void*>& outputs, int64_t begin, int64_t end) {
  Wide sum[kBlock], term[kBlock];
  T result[kBlock];
  const bool streams = (end - begin) * static_cast<int64_t>(sizeof(T)) >= kStreamed;
  for (int64_t at = begin; at < end; at += kBlock) {
    const int64_t count = std::min(kBlock, end - at);
    for (size_t i = 0; i < inputs.size(); ++i) {
      const T* from = static_cast<const T*>(inputs[i]) + at;
      Wide* to = i == 0 ? sum : term;
      if constexpr (std::is_same_v<T, Wide>) {
        if (i == 0)
          std::memcpy(sum, from, count * sizeof(T));
        else
          Accumulate(reduction, from, sum, count);
      } else {
        for (int64_t e = 0; e < count; ++e) to[e] = kWiden(from[e]);
        if (i > 0) Accumulate(reduction, term, sum, count);
      }
    }
    const void* finished = sum;
    if constexpr (!std::is_same_v<T, Wide>) {
      for (int64_t e = 0; e < count; ++e) result[e] = kNarrow(sum[e]);
      finished = result;
    }
    for (void* output : outputs) {
      // What is also an input lies in the cache already.
      const bool in_place = std::find(inputs.begin(), inputs.end(), output) != inputs.end();
      Write(finished, static_cast<T*>(output) + at, count * static_cast<int64_t>(sizeof(T)),
            streams && !in_place);
    }
  }
}

template <typename T>
T Same(T value) {
  return value;
}

template <typename T>
void ReducePlain(Reduction reduction, const std::vector<const void*>& inputs,
                 const std::vector<void*>& outputs, int64_t begin, int64_t end) {
  Reduce<T, T, Same<T>, Same<T>>(reduction, inputs, outputs, begin, end);
}

}  // namespace

void ReduceElements(DType dtype, Reduction reduction, const std::vector<const void*>& inputs,
                    const std::vector<void*>& outputs, int64_t begin, int64_t end) {
  switch (dtype) {
    case DType::kF32:
      return ReducePlain<float>(reduction, inputs, outputs, begin, end);
    case DType::kF64:
      return ReducePlain<double>(reduction, inputs, outputs, begin, end);
    case DType::kI64:
      return ReducePlain<int64_t>(reduction, inputs, outputs, begin, end);
    case DType::kI32:
      return ReducePlain<int32_t>(reduction, inputs, outputs, begin, end);
    case DType::kI8:
      return ReducePlain<int8_t>(reduction, inputs, outputs, begin, end);
    case DType::kU8:
      return ReducePlain<uint8_t>(reduction, inputs, outputs, begin, end);
    case DType::kBF16:
      return Reduce<uint16_t, float, BF16ToF32, F32ToBF16>(reduction, inputs, outputs, begin, end);
    case DType::kF16:
      return Reduce<uint16_t, float, F16ToF32, F32ToF16>(reduction, inputs, outputs, begin, end);
    default:
      return;  // CheckCollective has refused the others
  }
}

}  // namespace ashlar
