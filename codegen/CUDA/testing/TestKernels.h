// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernel texts as the code generator writes them: each is run on the emulator by one test and
// compiled by NVRTC in another. The host's parameter blocks mirror those of the kernels.

#ifndef ASHLAR_CODEGEN_CUDA_TESTING_TESTKERNELS_H
#define ASHLAR_CODEGEN_CUDA_TESTING_TESTKERNELS_H

#include <cstdint>

namespace ashlar {

struct AttentionBlock {
  const void *q, *k, *v;
  void *y;
  int32_t queries, keys, heads, key_heads;
  float scale;
};

inline constexpr char kProductKernels[] = R"(
#include "product_mma.cuh"
using namespace ashlar;
template <typename T>
struct Operands {
  const T *x, *w[2];
  float *y;
  int32 rows, columns, depth;
};
#define PRODUCT(name, Left, T, ...)                                                                \
  using Shape_##name = MmaProductShape<T, __VA_ARGS__>;                                            \
  ASHLAR_SHARED(name, Shape_##name::Shared);                                                       \
  ASHLAR_KERNEL_RESIDENT(name, Shape_##name::kThreads, 1, Operands<T>, p) {                        \
    Matrix<T, true> weights[Shape_##name::kProducts];                                              \
    for (int i = 0; i < Shape_##name::kProducts; ++i)                                              \
      weights[i] = {p.w[i], p.depth};                                                              \
    product_mma<Shape_##name>(Left, weights, p.rows, p.columns, p.depth,                           \
                              [&](int32 row, int32 column, const auto &product) {                  \
                                p.y[row * p.columns + column] = product[0][0];                     \
                              });                                                                  \
  }
#define MATRIX (Matrix<bf16, true>{p.x, p.depth})
#define FUNCTION ([&](int32 row, int32 k) { return 2.0f * to_float(p.x[row * p.depth + k]); })
PRODUCT(large, MATRIX, bf16, 128, 128, 32, 2, 4, 1, 4, 4)
PRODUCT(large_gated, MATRIX, bf16, 128, 64, 32, 2, 4, 2, 4, 4)
PRODUCT(large_computed, FUNCTION, f16, 128, 128, 32, 2, 4, 1, 4, 1)
PRODUCT(small, MATRIX, bf16, 32, 32, 64, 2, 2, 1, 4, 4)
PRODUCT(small_gated, FUNCTION, bf16, 64, 32, 64, 4, 2, 2, 4, 1)
)";

// sm_90a only.
inline constexpr char kHopperKernels[] = R"(
#include "product_wgmma.cuh"
using namespace ashlar;
struct Operands {
  TensorMap map0, map1, map2;
  float *y;
  int32 rows, columns, depth;
};
#define PRODUCT(name, ...)                                                                         \
  using Shape_##name = WgmmaProductShape<__VA_ARGS__>;                                             \
  ASHLAR_SHARED(name, Shape_##name::Shared);                                                       \
  ASHLAR_KERNEL_RESIDENT(name, Shape_##name::kThreads, 1, Operands, p) {                           \
    const TensorMap *weights[Shape_##name::kProducts];                                             \
    for (int i = 0; i < Shape_##name::kProducts; ++i)                                              \
      weights[i] = i ? &p.map2 : &p.map1;                                                          \
    product_wgmma<Shape_##name>(p.map0, weights, p.rows, p.columns, p.depth,                       \
                                [&](int32 row, int32 column, const auto &product) {                \
                                  p.y[row * p.columns + column] = product[0][0];                   \
                                });                                                                \
  }
PRODUCT(narrow, bf16, 64, 1, 6, 1)
PRODUCT(middle, f16, 128, 1, 6, 4)
PRODUCT(wide, bf16, 256, 1, 4, 4)
PRODUCT(gated, bf16, 128, 2, 4, 4)
)";

inline constexpr char kAttentionKernels[] = R"(
#include "attention.cuh"
using namespace ashlar;
using Causal = AttentionShape<bf16, 64, 4, 64, true>;
ASHLAR_SHARED(attention_causal, Causal::Shared);
ASHLAR_KERNEL_RESIDENT(attention_causal, Causal::kThreads, 1, AttentionParameters<bf16>, p) {
  attention<Causal>(p);
}
using Full = AttentionShape<f16, 32, 2, 32, false>;
ASHLAR_SHARED(attention_full, Full::Shared);
ASHLAR_KERNEL_RESIDENT(attention_full, Full::kThreads, 1, AttentionParameters<f16>, p) {
  attention<Full>(p);
}
using Wide = AttentionShape<bf16, 128, 4, 64, true>;
ASHLAR_SHARED(attention_causal_128, Wide::Shared);
ASHLAR_KERNEL_RESIDENT(attention_causal_128, Wide::kThreads, 1, AttentionParameters<bf16>, p) {
  attention<Wide>(p);
}
)";

} // namespace ashlar

#endif
