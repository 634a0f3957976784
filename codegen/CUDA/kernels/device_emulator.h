// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The primitives of device.h for the host: each asks the emulator, which the kernel finds at the
// low end of its own stack. Compiled with -fsanitize=thread; instrumentation.h receives the calls.
#pragma once

#include "device_types.h"
#include "emulator_abi.h"
#include "instrumentation.h"

#define ASHLAR_DEVICE __attribute__((always_inline)) inline

// As in device_cuda.h.
#define ASHLAR_KERNEL(name, threads, Parameters, parameters)                                       \
  static void name##_body(const Parameters &parameters);                                           \
  extern "C" __attribute__((visibility("default"))) void name(const void *block) {                 \
    name##_body(*static_cast<const Parameters *>(block));                                          \
  }                                                                                                \
  extern "C" __attribute__((visibility("default"), used)) const unsigned name##_threads =          \
      (threads);                                                                                   \
  static void name##_body(const Parameters &parameters)
#define ASHLAR_KERNEL_RESIDENT(name, threads, blocks, Parameters, parameters)                      \
  ASHLAR_KERNEL(name, threads, Parameters, parameters)
#define ASHLAR_SHARED(name, Layout)                                                                \
  extern "C" __attribute__((visibility("default"), used)) const unsigned name##_shared =           \
      sizeof(Layout)

namespace ashlar {

using TensorMap = emulator::TensorMap;

// --- Threads
ASHLAR_DEVICE uint32 thread_index() { return emulator::current()->index; }
ASHLAR_DEVICE uint32 block_size() { return emulator::current()->threads; }
ASHLAR_DEVICE uint32 block_x() { return emulator::current()->block[0]; }
ASHLAR_DEVICE uint32 block_y() { return emulator::current()->block[1]; }
ASHLAR_DEVICE uint32 block_z() { return emulator::current()->block[2]; }
ASHLAR_DEVICE uint32 grid_x() { return emulator::current()->grid[0]; }
ASHLAR_DEVICE uint32 grid_y() { return emulator::current()->grid[1]; }
ASHLAR_DEVICE char *shared_bytes() { return emulator::current()->shared; }

// --- Barriers
ASHLAR_DEVICE void block_sync() { emulator::api().barrier(emulator::current(), 0, 0); }
ASHLAR_DEVICE void named_sync(uint32 id, uint32 threads) {
  emulator::api().barrier(emulator::current(), id, threads);
}
ASHLAR_DEVICE void named_arrive(uint32 id, uint32 threads) {
  emulator::api().barrier_arrive(emulator::current(), id, threads);
}
ASHLAR_DEVICE void warp_sync(uint32 mask = kAllLanes) {
  emulator::WarpOperands operands{};
  emulator::api().warp(emulator::current(), emulator::WarpOp::kSync, mask, &operands);
}

// --- Votes and shuffles
ASHLAR_DEVICE uint32 ballot(bool predicate, uint32 mask = kAllLanes) {
  emulator::WarpOperands operands{{}, {predicate, 0}};
  emulator::api().warp(emulator::current(), emulator::WarpOp::kBallot, mask, &operands);
  return operands.value[0];
}
ASHLAR_DEVICE uint32 shuffle_bits(uint32 value, uint32 lane, uint32 mask) {
  emulator::WarpOperands operands{{}, {value, lane}};
  emulator::api().warp(emulator::current(), emulator::WarpOp::kShuffle, mask, &operands);
  return operands.value[0];
}

// --- Bits and numbers
ASHLAR_DEVICE uint32 bits_of(float x) { return __builtin_bit_cast(uint32, x); }
ASHLAR_DEVICE float float_of(uint32 x) { return __builtin_bit_cast(float, x); }
ASHLAR_DEVICE float to_float(float x) { return x; }
ASHLAR_DEVICE float to_float(bf16 x) { return float_of(uint32{x.bits} << 16); }
ASHLAR_DEVICE float to_float(f16 x) {
  uint32 sign = uint32{x.bits & 0x8000u} << 16, exponent = x.bits >> 10 & 31, rest = x.bits & 1023;
  if (exponent == 31)
    return float_of(sign | 0x7f800000u | rest << 13);
  if (exponent != 0)
    return float_of(sign | (exponent + 112) << 23 | rest << 13);
  float magnitude = static_cast<float>(rest) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}
ASHLAR_DEVICE void from_float(float &to, float x) { to = x; }
ASHLAR_DEVICE void from_float(bf16 &to, float x) {
  uint32 bits = bits_of(x);
  if (x != x)
    bits = 0x7fff0000u;
  else
    bits += 0x7fff + (bits >> 16 & 1); // to nearest, ties to even
  to.bits = static_cast<uint16>(bits >> 16);
}
ASHLAR_DEVICE void from_float(f16 &to, float x) {
  uint32 bits = bits_of(x), sign = bits >> 16 & 0x8000u;
  uint32 magnitude = bits & 0x7fffffffu;
  uint32 result;
  if (magnitude > 0x7f800000u) {
    result = 0x7fff;
  } else if (magnitude >= 0x477ff000u) { // rounds beyond the largest f16
    result = sign | 0x7c00;
  } else if (magnitude < 0x38800000u) { // subnormal: the addition rounds
    result = sign | (bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f));
  } else {
    magnitude += 0xfff + (magnitude >> 13 & 1);
    result = sign | (magnitude - (112u << 23)) >> 13;
  }
  to.bits = static_cast<uint16>(result);
}
ASHLAR_DEVICE uint32 to_tf32(float x) { return (bits_of(x) + 0x1000u) & ~0x1fffu; }

ASHLAR_DEVICE float exp(float x) { return emulator::api().math(emulator::Math::kExp, x); }
ASHLAR_DEVICE float exp2(float x) { return emulator::api().math(emulator::Math::kExp2, x); }
ASHLAR_DEVICE float log(float x) { return emulator::api().math(emulator::Math::kLog, x); }
ASHLAR_DEVICE float tanh(float x) { return emulator::api().math(emulator::Math::kTanh, x); }
ASHLAR_DEVICE float erf(float x) { return emulator::api().math(emulator::Math::kErf, x); }
ASHLAR_DEVICE float sin(float x) { return emulator::api().math(emulator::Math::kSin, x); }
ASHLAR_DEVICE float cos(float x) { return emulator::api().math(emulator::Math::kCos, x); }
ASHLAR_DEVICE float sqrt(float x) { return emulator::api().math(emulator::Math::kSqrt, x); }
ASHLAR_DEVICE float rsqrt(float x) { return emulator::api().math(emulator::Math::kRsqrt, x); }
ASHLAR_DEVICE float fma(float a, float b, float c) { return a * b + c; }
ASHLAR_DEVICE float max(float a, float b) { return a != a || a < b ? (b != b ? a : b) : a; }
ASHLAR_DEVICE float min(float a, float b) { return a != a || a > b ? (b != b ? a : b) : a; }
ASHLAR_DEVICE float maximum(float a, float b) { return a != a || a > b ? a : b; }
ASHLAR_DEVICE float minimum(float a, float b) { return a != a || a < b ? a : b; }
ASHLAR_DEVICE float abs(float x) { return float_of(bits_of(x) & 0x7fffffffu); }

// --- Atomics
ASHLAR_DEVICE float atomic_add(float *to, float x) {
  return float_of(
      emulator::api().atomic(emulator::current(), emulator::AtomicOp::kAddF32, to, bits_of(x), 0));
}
ASHLAR_DEVICE uint32 atomic_add(uint32 *to, uint32 x) {
  return emulator::api().atomic(emulator::current(), emulator::AtomicOp::kAddU32, to, x, 0);
}
ASHLAR_DEVICE uint32 atomic_max(uint32 *to, uint32 x) {
  return emulator::api().atomic(emulator::current(), emulator::AtomicOp::kMaxU32, to, x, 0);
}
ASHLAR_DEVICE uint32 atomic_min(uint32 *to, uint32 x) {
  return emulator::api().atomic(emulator::current(), emulator::AtomicOp::kMinU32, to, x, 0);
}
ASHLAR_DEVICE uint32 atomic_exchange(uint32 *to, uint32 x) {
  return emulator::api().atomic(emulator::current(), emulator::AtomicOp::kExchangeU32, to, x, 0);
}
ASHLAR_DEVICE uint32 atomic_compare_swap(uint32 *to, uint32 expected, uint32 x) {
  return emulator::api().atomic(emulator::current(), emulator::AtomicOp::kCompareSwapU32, to, x,
                                expected);
}

// --- Vector accesses
namespace emulator {
// One access of `Bytes` bytes, so that it is checked as one.
template <int Bytes>
struct Word;
template <>
struct Word<1> {
  using Type [[gnu::may_alias]] = uint8;
};
template <>
struct Word<2> {
  using Type [[gnu::may_alias]] = uint16;
};
template <>
struct Word<4> {
  using Type [[gnu::may_alias]] = uint32;
};
template <>
struct Word<8> {
  using Type [[gnu::may_alias]] = uint64;
};
template <>
struct Word<16> {
  using Type [[gnu::may_alias, gnu::vector_size(16)]] = uint32;
};
} // namespace emulator
template <typename T, int N>
ASHLAR_DEVICE Vec<T, N> load_vector(const T *from) {
  using Word = typename emulator::Word<sizeof(T) * N>::Type;
  return __builtin_bit_cast(Vec<T, N>, *reinterpret_cast<const Word *>(from));
}
template <typename T, int N>
ASHLAR_DEVICE void store_vector(T *to, const Vec<T, N> &v) {
  using Word = typename emulator::Word<sizeof(T) * N>::Type;
  *reinterpret_cast<Word *>(to) = __builtin_bit_cast(Word, v);
}

// --- Asynchronous copies
template <int Bytes>
ASHLAR_DEVICE void copy_async(void *shared, const void *global, bool valid) {
  emulator::api().copy_async(emulator::current(), shared, global, Bytes, valid ? Bytes : 0);
}
ASHLAR_DEVICE void copy_async_partial(void *shared, const void *global, uint32 valid_bytes) {
  emulator::api().copy_async(emulator::current(), shared, global, 16, valid_bytes);
}
ASHLAR_DEVICE void copy_async_commit() { emulator::api().copy_commit(emulator::current()); }
template <int Pending>
ASHLAR_DEVICE void copy_async_wait() {
  emulator::api().copy_wait(emulator::current(), Pending);
}

// --- Warp matrix products
ASHLAR_DEVICE void ldmatrix_any(uint32 *out, const void *row, uint32 matrices, bool transposed) {
  emulator::WarpOperands operands{{const_cast<void *>(row), out, nullptr}, {matrices, transposed}};
  emulator::api().warp(emulator::current(), emulator::WarpOp::kLdmatrix, kAllLanes, &operands);
}
ASHLAR_DEVICE void ldmatrix_x4(uint32 (&out)[4], const void *row) {
  ldmatrix_any(out, row, 4, false);
}
ASHLAR_DEVICE void ldmatrix_x2(uint32 (&out)[2], const void *row) {
  ldmatrix_any(out, row, 2, false);
}
ASHLAR_DEVICE void ldmatrix_x4_transposed(uint32 (&out)[4], const void *row) {
  ldmatrix_any(out, row, 4, true);
}
ASHLAR_DEVICE void ldmatrix_x2_transposed(uint32 (&out)[2], const void *row) {
  ldmatrix_any(out, row, 2, true);
}
ASHLAR_DEVICE void mma_any(emulator::WarpOp op, float *d, const uint32 *a, const uint32 *b) {
  emulator::WarpOperands operands{{d, const_cast<uint32 *>(a), const_cast<uint32 *>(b)}, {}};
  emulator::api().warp(emulator::current(), op, kAllLanes, &operands);
}
ASHLAR_DEVICE void mma_m16n8k16(float (&d)[4], const uint32 (&a)[4], const uint32 (&b)[2], bf16) {
  mma_any(emulator::WarpOp::kMmaBf16, d, a, b);
}
ASHLAR_DEVICE void mma_m16n8k16(float (&d)[4], const uint32 (&a)[4], const uint32 (&b)[2], f16) {
  mma_any(emulator::WarpOp::kMmaF16, d, a, b);
}
ASHLAR_DEVICE void mma_m16n8k8_tf32(float (&d)[4], const uint32 (&a)[4], const uint32 (&b)[2]) {
  mma_any(emulator::WarpOp::kMmaTf32, d, a, b);
}

// --- mbarriers, bulk copies, warpgroup products (sm_90a)
ASHLAR_DEVICE void mbarrier_init(uint64 *barrier, uint32 arrivals) {
  emulator::api().mbarrier_init(emulator::current(), barrier, arrivals);
}
ASHLAR_DEVICE void mbarrier_init_fence() {}
ASHLAR_DEVICE void mbarrier_arrive(uint64 *barrier) {
  emulator::api().mbarrier_arrive(emulator::current(), barrier, 1, 0);
}
ASHLAR_DEVICE void mbarrier_arrive_expect(uint64 *barrier, uint32 bytes) {
  emulator::api().mbarrier_arrive(emulator::current(), barrier, 1, bytes);
}
ASHLAR_DEVICE void mbarrier_wait(uint64 *barrier, uint32 parity) {
  emulator::api().mbarrier_wait(emulator::current(), barrier, parity);
}
ASHLAR_DEVICE void prefetch_tensor_map(const TensorMap &) {}
ASHLAR_DEVICE void tma_load_2d(void *shared, const TensorMap &map, int32 column, int32 row,
                               uint64 *barrier) {
  emulator::api().tma_load(emulator::current(), shared, &map, column, row, barrier);
}
ASHLAR_DEVICE void fence_async_proxy() { emulator::api().fence_async_proxy(emulator::current()); }

ASHLAR_DEVICE uint32 shared_address(const void *shared) {
  return static_cast<uint32>(static_cast<const char *>(shared) - emulator::current()->shared);
}
ASHLAR_DEVICE void wgmma_fence() { emulator::api().wgmma_fence(emulator::current()); }
template <int N>
ASHLAR_DEVICE void wgmma_m64k16(float (&d)[N / 2], uint64 a, uint64 b, bool accumulate, bf16) {
  static_assert(N == 64 || N == 128 || N == 256, "the widths that are written down for a device");
  emulator::api().wgmma(emulator::current(), d, N, a, b, accumulate, false);
}
template <int N>
ASHLAR_DEVICE void wgmma_m64k16(float (&d)[N / 2], uint64 a, uint64 b, bool accumulate, f16) {
  static_assert(N == 64 || N == 128 || N == 256, "the widths that are written down for a device");
  emulator::api().wgmma(emulator::current(), d, N, a, b, accumulate, true);
}
ASHLAR_DEVICE void wgmma_commit() { emulator::api().wgmma_commit(emulator::current()); }
template <int Pending>
ASHLAR_DEVICE void wgmma_wait() {
  emulator::api().wgmma_wait(emulator::current(), Pending);
}
template <int N>
ASHLAR_DEVICE void wgmma_touch(float (&)[N]) {}

ASHLAR_DEVICE void fail(const char *message) { emulator::api().fail(emulator::current(), message); }

} // namespace ashlar
