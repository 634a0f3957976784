// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The primitives of device.h as PTX, for sm_80 and later (PTX ISA 7.0). The types and functions
// that NVRTC knows without a header are all that it needs. sm_90a's are in device_hopper.h.
#pragma once

#include "device_types.h"

#define ASHLAR_DEVICE __device__ __forceinline__

// Defines a kernel: its name, threads of a block, type and name of the parameter block. The second
// form also says how many blocks a multiprocessor should hold, and so how many registers are free.
#define ASHLAR_KERNEL(name, threads, Parameters, parameters)                                       \
  extern "C" __global__ void __launch_bounds__(threads)                                            \
      name(const __grid_constant__ Parameters parameters)
#define ASHLAR_KERNEL_RESIDENT(name, threads, blocks, Parameters, parameters)                      \
  extern "C" __global__ void __launch_bounds__(threads, blocks)                                    \
      name(const __grid_constant__ Parameters parameters)

// Makes the size of a kernel's shared memory a symbol of the code, `name_shared`.
#define ASHLAR_SHARED(name, Layout) extern "C" __device__ unsigned name##_shared = sizeof(Layout)

extern __shared__ __align__(1024) char ashlar_shared[];

namespace ashlar {

// What cuTensorMapEncodeTiled fills in.
struct alignas(64) TensorMap {
  char opaque[128];
};

// --- Threads
ASHLAR_DEVICE uint32 thread_index() { return threadIdx.x; }
ASHLAR_DEVICE uint32 block_size() { return blockDim.x; }
ASHLAR_DEVICE uint32 block_x() { return blockIdx.x; }
ASHLAR_DEVICE uint32 block_y() { return blockIdx.y; }
ASHLAR_DEVICE uint32 block_z() { return blockIdx.z; }
ASHLAR_DEVICE uint32 grid_x() { return gridDim.x; }
ASHLAR_DEVICE uint32 grid_y() { return gridDim.y; }
ASHLAR_DEVICE char *shared_bytes() { return ashlar_shared; }
ASHLAR_DEVICE uint32 shared_address(const void *shared) {
  return static_cast<uint32>(__cvta_generic_to_shared(shared));
}

ASHLAR_DEVICE void fail(const char *) { __trap(); }

// --- Barriers
ASHLAR_DEVICE void block_sync() { __syncthreads(); }
ASHLAR_DEVICE void named_sync(uint32 id, uint32 threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
ASHLAR_DEVICE void named_arrive(uint32 id, uint32 threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
ASHLAR_DEVICE void warp_sync(uint32 mask = kAllLanes) { __syncwarp(mask); }

// --- Votes and shuffles
ASHLAR_DEVICE uint32 ballot(bool predicate, uint32 mask = kAllLanes) {
  return __ballot_sync(mask, predicate);
}
ASHLAR_DEVICE uint32 shuffle_bits(uint32 value, uint32 lane, uint32 mask) {
  return __shfl_sync(mask, value, static_cast<int>(lane));
}

// --- Bits and numbers
ASHLAR_DEVICE uint32 bits_of(float x) { return __float_as_uint(x); }
ASHLAR_DEVICE float float_of(uint32 x) { return __uint_as_float(x); }
ASHLAR_DEVICE float to_float(float x) { return x; }
ASHLAR_DEVICE float to_float(bf16 x) { return float_of(uint32(x.bits) << 16); }
ASHLAR_DEVICE float to_float(f16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
ASHLAR_DEVICE void from_float(float &to, float x) { to = x; }
ASHLAR_DEVICE void from_float(bf16 &to, float x) {
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(x));
}
ASHLAR_DEVICE void from_float(f16 &to, float x) {
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(x));
}
ASHLAR_DEVICE uint32 to_tf32(float x) {
  uint32 y;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
  return y;
}

ASHLAR_DEVICE float exp(float x) { return __expf(x); }
ASHLAR_DEVICE float exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
ASHLAR_DEVICE float log(float x) { return logf(x); }
ASHLAR_DEVICE float tanh(float x) { return tanhf(x); }
ASHLAR_DEVICE float erf(float x) { return erff(x); }
ASHLAR_DEVICE float sin(float x) { return sinf(x); }
ASHLAR_DEVICE float cos(float x) { return cosf(x); }
ASHLAR_DEVICE float sqrt(float x) { return sqrtf(x); }
ASHLAR_DEVICE float rsqrt(float x) { return rsqrtf(x); }
ASHLAR_DEVICE float fma(float a, float b, float c) { return fmaf(a, b, c); }
ASHLAR_DEVICE float max(float a, float b) { return fmaxf(a, b); }
ASHLAR_DEVICE float min(float a, float b) { return fminf(a, b); }
ASHLAR_DEVICE float maximum(float a, float b) {
  float y;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
}
ASHLAR_DEVICE float minimum(float a, float b) {
  float y;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
}
ASHLAR_DEVICE float abs(float x) { return fabsf(x); }

// --- Atomics
ASHLAR_DEVICE float atomic_add(float *to, float x) { return atomicAdd(to, x); }
ASHLAR_DEVICE uint32 atomic_add(uint32 *to, uint32 x) { return atomicAdd(to, x); }
ASHLAR_DEVICE uint32 atomic_max(uint32 *to, uint32 x) { return atomicMax(to, x); }
ASHLAR_DEVICE uint32 atomic_min(uint32 *to, uint32 x) { return atomicMin(to, x); }
ASHLAR_DEVICE uint32 atomic_exchange(uint32 *to, uint32 x) { return atomicExch(to, x); }
ASHLAR_DEVICE uint32 atomic_compare_swap(uint32 *to, uint32 expected, uint32 x) {
  return atomicCAS(to, expected, x);
}

// --- Vector accesses
namespace words {
template <int Bytes>
struct Word;
template <>
struct Word<1> {
  using Type = uint8;
};
template <>
struct Word<2> {
  using Type = uint16;
};
template <>
struct Word<4> {
  using Type = uint32;
};
template <>
struct Word<8> {
  using Type = uint2;
};
template <>
struct Word<16> {
  using Type = uint4;
};
} // namespace words
template <typename T, int N>
ASHLAR_DEVICE Vec<T, N> load_vector(const T *from) {
  using Word = typename words::Word<sizeof(T) * N>::Type;
  Vec<T, N> v;
  *reinterpret_cast<Word *>(&v) = *reinterpret_cast<const Word *>(from);
  return v;
}
template <typename T, int N>
ASHLAR_DEVICE void store_vector(T *to, const Vec<T, N> &v) {
  using Word = typename words::Word<sizeof(T) * N>::Type;
  *reinterpret_cast<Word *>(to) = *reinterpret_cast<const Word *>(&v);
}

// --- Asynchronous copies
template <int Bytes>
ASHLAR_DEVICE void copy_async(void *shared, const void *global, bool valid) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
  uint32 size = valid ? Bytes : 0;
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "r"(size)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "n"(Bytes), "r"(size)
                 : "memory");
}
ASHLAR_DEVICE void copy_async_partial(void *shared, const void *global, uint32 valid_bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
               "l"(__cvta_generic_to_global(global)), "r"(valid_bytes)
               : "memory");
}
ASHLAR_DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int Pending>
ASHLAR_DEVICE void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

// --- Warp matrix products
ASHLAR_DEVICE void ldmatrix_x4(uint32 (&out)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(shared_address(row))
               : "memory");
}
ASHLAR_DEVICE void ldmatrix_x2(uint32 (&out)[2], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(out[0]), "=r"(out[1])
               : "r"(shared_address(row))
               : "memory");
}
ASHLAR_DEVICE void ldmatrix_x4_transposed(uint32 (&out)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(shared_address(row))
               : "memory");
}
ASHLAR_DEVICE void ldmatrix_x2_transposed(uint32 (&out)[2], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(out[0]), "=r"(out[1])
               : "r"(shared_address(row))
               : "memory");
}
#define ASHLAR_MMA(shape_and_types)                                                                \
  asm volatile("mma.sync.aligned." shape_and_types                                                 \
               " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                  \
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                    \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
ASHLAR_DEVICE void mma_m16n8k16(float (&d)[4], const uint32 (&a)[4], const uint32 (&b)[2], bf16) {
  ASHLAR_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
}
ASHLAR_DEVICE void mma_m16n8k16(float (&d)[4], const uint32 (&a)[4], const uint32 (&b)[2], f16) {
  ASHLAR_MMA("m16n8k16.row.col.f32.f16.f16.f32");
}
ASHLAR_DEVICE void mma_m16n8k8_tf32(float (&d)[4], const uint32 (&a)[4], const uint32 (&b)[2]) {
  ASHLAR_MMA("m16n8k8.row.col.f32.tf32.tf32.f32");
}
#undef ASHLAR_MMA

} // namespace ashlar

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#include "device_hopper.h"
#endif
