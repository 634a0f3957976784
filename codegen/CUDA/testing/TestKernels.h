// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The skeletons in the shapes that the generator chooses, with little around them, for NVRTC: the
// execute tests run them on the emulator.

#ifndef ASHLAR_CODEGEN_CUDA_TESTING_TESTKERNELS_H
#define ASHLAR_CODEGEN_CUDA_TESTING_TESTKERNELS_H

namespace ashlar {

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
#include "attention_mma.cuh"
using namespace ashlar;
template <typename T>
struct Operands {
  const float *q;
  const T *k, *v;
  T *y;
  int32 rows, keys;
};
#define ATTENTION(name, T, ...)                                                                    \
  using Shape_##name = MmaAttentionShape<T, __VA_ARGS__>;                                          \
  ASHLAR_SHARED(name, Shape_##name::Shared);                                                       \
  ASHLAR_KERNEL_RESIDENT(name, Shape_##name::kThreads, 1, Operands<T>, p) {                        \
    constexpr int kWidth = Shape_##name::kWidth;                                                   \
    attention_mma<Shape_##name>(                                                                   \
        {p.rows, 0, p.keys}, static_cast<int32>(block_x()) * Shape_##name::kRows, 0.1f,            \
        [&](int32 row, int32 column) { return p.q[row * kWidth + column]; },                       \
        Matrix<T, true>{p.k, kWidth}, Matrix<T, true>{p.v, kWidth}, [](int32) { return true; },    \
        [](int32 row, int32 key) { return key <= row; },                                           \
        [&](int32 row, int32 column, float value) {                                                \
          p.y[row * kWidth + column] = round_to<T>(value);                                         \
        },                                                                                         \
        [](int32, float) {});                                                                      \
  }
ATTENTION(narrow, f16, 4, 64, 40, 40)
ATTENTION(middle, bf16, 8, 64, 64, 64)
ATTENTION(wide, bf16, 8, 64, 128, 128)
)";

inline constexpr char kFewRowsAttentionKernels[] = R"(
#include "attention_few_rows.cuh"
using namespace ashlar;
template <typename K, typename V>
struct Operands {
  const float *q;
  const K *k;
  const V *v;
  float *y;
  int32 rows, keys;
};
#define ATTENTION(name, Rows, K, Width, V, ValueWidth)                                             \
  using Shape_##name = FewRowsAttentionShape<Rows, K, Width, V, ValueWidth>;                       \
  ASHLAR_SHARED(name, Shape_##name::Shared);                                                       \
  using Operands_##name = Operands<K, V>;                                                          \
  ASHLAR_KERNEL_RESIDENT(name, Shape_##name::kThreads, 1, Operands_##name, p) {                    \
    attention_few_rows<Shape_##name>(                                                              \
        {p.rows, 0, p.keys}, 0.1f,                                                                 \
        [&](int32 row, int32 column) { return p.q[row * Width + column]; },                        \
        Matrix<K, true>{p.k, Width}, Matrix<V, true>{p.v, ValueWidth},                             \
        [](int32 row, int32 key) { return key <= row; },                                           \
        [&](int32 row, int32 column, float value) { p.y[row * ValueWidth + column] = value; },     \
        [](int32, float) {});                                                                      \
  }
ATTENTION(one, 1, bf16, 128, bf16, 128)
ATTENTION(few, 4, f16, 64, f16, 64)
ATTENTION(most, 8, bf16, 128, bf16, 128)
ATTENTION(wide, 8, bf16, 256, bf16, 256)
ATTENTION(single, 8, float, 256, float, 256)
ATTENTION(mixed, 2, float, 40, bf16, 256)
)";

} // namespace ashlar

#endif
