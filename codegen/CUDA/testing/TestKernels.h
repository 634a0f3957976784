// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernel texts as the code generator writes them: each is run on the emulator by one test and
// compiled by NVRTC in another. The host's parameter blocks mirror those of the kernels.

#ifndef ASHLAR_CODEGEN_CUDA_TESTING_TESTKERNELS_H
#define ASHLAR_CODEGEN_CUDA_TESTING_TESTKERNELS_H

#include <cstdint>

namespace ashlar {

struct NormBlock {
  const void *x, *gain, *bias;
  void *y;
  int32_t rows, columns;
  float epsilon;
};
struct SoftmaxBlock {
  const void *x;
  void *y;
  int32_t rows, columns;
  float scale;
};
struct ElementwiseBlock {
  const void *x[2];
  void *y;
  int64_t count;
};
struct MatmulBlock {
  const void *a, *b;
  void *y;
  int32_t m, n, k;
};

struct AttentionBlock {
  const void *q, *k, *v;
  void *y;
  int32_t queries, keys, heads, key_heads;
  float scale;
};
struct alignas(64) HopperMatmulBlock {
  char a[128], b[128];
  void *y;
  int32_t m, n, k;
};

inline constexpr char kRowKernels[] = R"(
#include "norm.cuh"
#include "softmax.cuh"
using namespace ashlar;
ASHLAR_SHARED(layer_norm_f32, ReductionSpace);
ASHLAR_KERNEL(layer_norm_f32, 64, NormParameters<float>, p) { layer_norm<float, 64, 2>(p); }
ASHLAR_SHARED(layer_norm_bf16, ReductionSpace);
ASHLAR_KERNEL(layer_norm_bf16, 128, NormParameters<bf16>, p) { layer_norm<bf16, 128, 1>(p); }
ASHLAR_SHARED(rms_norm_f16, ReductionSpace);
ASHLAR_KERNEL(rms_norm_f16, 32, NormParameters<f16>, p) { rms_norm<f16, 32, 4>(p); }
ASHLAR_SHARED(rms_norm_bf16, ReductionSpace);
ASHLAR_KERNEL(rms_norm_bf16, 256, NormParameters<bf16>, p) { rms_norm<bf16, 256, 2>(p); }
ASHLAR_SHARED(softmax_f32, ReductionSpace);
ASHLAR_KERNEL(softmax_f32, 128, SoftmaxParameters<float>, p) { softmax_rows<float, 128, 2>(p); }
ASHLAR_SHARED(softmax_bf16, ReductionSpace);
ASHLAR_KERNEL(softmax_bf16, 128, SoftmaxParameters<bf16>, p) { softmax_rows<bf16, 128, 1>(p); }
)";

inline constexpr char kElementwiseKernels[] = R"(
#include "elementwise.cuh"
using namespace ashlar;
struct GeluTimes {
  ASHLAR_DEVICE float operator()(const float (&x)[2]) const { return gelu(x[0]) * x[1]; }
};
using F32 = ElementwiseParameters<float, 2>;
using F16 = ElementwiseParameters<f16, 2>;
using Bf16 = ElementwiseParameters<bf16, 2>;
ASHLAR_KERNEL(gelu_times_f32, 128, F32, p) { elementwise<float, 2, 4>(p, GeluTimes()); }
ASHLAR_KERNEL(gelu_times_f16, 128, F16, p) { elementwise<f16, 2, 2>(p, GeluTimes()); }
ASHLAR_KERNEL(gelu_times_bf16, 128, Bf16, p) { elementwise<bf16, 2, 2>(p, GeluTimes()); }
)";

inline constexpr char kMatmulKernels[] = R"(
#include "elementwise.cuh"
#include "matmul.cuh"
using namespace ashlar;
struct Keep {
  ASHLAR_DEVICE float operator()(float x, int, int) const { return x; }
};
struct Silu {
  ASHLAR_DEVICE float operator()(float x, int, int) const { return silu(x); }
};
using Wide = MatmulShape<bf16, 128, 128, 32, 2, 4, 3, false>;
ASHLAR_SHARED(matmul_bf16, Wide::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_bf16, Wide::kThreads, 1, MatmulParameters<bf16>, p) {
  matmul<Wide>(p, Keep());
}
using Turned = MatmulShape<bf16, 64, 64, 64, 2, 2, 4, true>;
ASHLAR_SHARED(matmul_bf16_columns, Turned::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_bf16_columns, Turned::kThreads, 1, MatmulParameters<bf16>, p) {
  matmul<Turned>(p, Silu());
}
using Half = MatmulShape<f16, 64, 128, 32, 2, 2, 2, false>;
ASHLAR_SHARED(matmul_f16, Half::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_f16, Half::kThreads, 1, MatmulParameters<f16>, p) {
  matmul<Half>(p, Keep());
}
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

// sm_90a only.
inline constexpr char kHopperKernels[] = R"(
#include "matmul_hopper.cuh"
using namespace ashlar;
struct Halve {
  ASHLAR_DEVICE float operator()(float x, int, int) const { return 0.5f * x; }
};
using Narrow = HopperMatmulShape<64, 3>;
using Middle = HopperMatmulShape<128, 4>;
using Wide = HopperMatmulShape<256, 3>;
ASHLAR_SHARED(matmul_hopper_64, Narrow::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_hopper_64, Narrow::kThreads, 1, HopperMatmulParameters, p) {
  matmul_hopper<Narrow>(p, Halve());
}
ASHLAR_SHARED(matmul_hopper_128, Middle::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_hopper_128, Middle::kThreads, 1, HopperMatmulParameters, p) {
  matmul_hopper<Middle>(p, Halve());
}
ASHLAR_SHARED(matmul_hopper_256, Wide::Shared);
ASHLAR_KERNEL_RESIDENT(matmul_hopper_256, Wide::kThreads, 1, HopperMatmulParameters, p) {
  matmul_hopper<Wide>(p, Halve());
}
)";

} // namespace ashlar

#endif
