// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether a function that is found with dlsym is declared as NVIDIA's header has it: as many
// parameters, each passed alike, and such a result.
#pragma once

#include <type_traits>

namespace ashlar::cuda {

// Both addresses, both numbers of one size (enumerations are ints), or both structs of one size.
template <typename A, typename B>
constexpr bool kPassedAlike =
    std::is_pointer_v<A> == std::is_pointer_v<B> && std::is_class_v<A> == std::is_class_v<B> &&
    std::is_integral_v<A> == (std::is_integral_v<B> || std::is_enum_v<B>) &&
    sizeof(A) == sizeof(B) && alignof(A) == alignof(B);

template <typename Ours, typename Theirs>
struct SameFunction : std::false_type {};
template <typename Q, typename... A, typename R, typename... B>
struct SameFunction<Q (*)(A...), R (*)(B...)> {
  static constexpr bool Compare() {
    if constexpr (sizeof...(A) != sizeof...(B))
      return false;
    else
      return kPassedAlike<Q, R> && (kPassedAlike<A, B> && ...);
  }
  static constexpr bool value = Compare();
};

}  // namespace ashlar::cuda
