// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// All that kernel text may use of a device. The same text is compiled as CUDA C++ (device_cuda.h)
// and for the host, against the emulator (device_emulator.h, with ASHLAR_EMULATOR defined);
// ../README.md has the rules for kernels.
//
//   kernels       ASHLAR_KERNEL(name, threads, Parameters, p) { ... }; ASHLAR_KERNEL_RESIDENT, with
//                 blocks to a multiprocessor after the threads
//   threads       thread_index, block_size, block_x/y/z, grid_x/y; lane, warp
//   shared memory shared<Layout>(): the block's dynamic shared memory as one struct;
//                 ASHLAR_SHARED(name, Layout); tells the launch how much it is
//   errors        fail(message): ends the kernel; the message is for the emulator
//   barriers      block_sync, named_sync/named_arrive (id, threads), warp_sync (mask)
//   votes         ballot
//   shuffles      shuffle, shuffle_xor
//   numbers       to_float, from_float, round_to<T>, pack<T>, to_tf32, bits_of, float_of
//   functions     exp, exp2, log, tanh, erf, sin, cos, sqrt, rsqrt, fma, abs; max and min, of which
//                 what is not a number falls out; maximum and minimum, which it stays in
//   atomics       atomic_add (f32, u32), atomic_max/min/exchange/compare_swap (u32); relaxed
//   vectors       load_vector<T, N>, store_vector
//   cp.async      copy_async<Bytes>(shared, global, valid): zeros where not valid;
//                 copy_async_partial(shared, global, valid_bytes): 16 bytes, the rest zeros;
//                 copy_async_commit, copy_async_wait<Pending>: then visible to this thread only
//   mma.sync      ldmatrix_x4/x2 and _transposed; mma_m16n8k16 (bf16, f16), mma_m16n8k8_tf32, all
//                 d += a b; fragments.h says which element a register holds
//   sm_90a        mbarrier_init, mbarrier_init_fence, mbarrier_arrive, mbarrier_arrive_expect,
//                 mbarrier_wait (barrier, parity); tma_load_2d (shared, map, column, row, barrier);
//                 fence_async_proxy; wgmma_fence, wgmma_m64k16<N>(d, a, b, accumulate, T()) over
//                 bf16 or f16 with swizzled descriptors, wgmma_commit, wgmma_wait<Pending>;
//                 wgmma_touch before d is read
#pragma once

#ifdef ASHLAR_EMULATOR
#include "device_emulator.h"
#else
#include "device_cuda.h"
#endif

namespace ashlar {

ASHLAR_DEVICE uint32 lane() { return thread_index() % kWarpSize; }
ASHLAR_DEVICE uint32 warp() { return thread_index() / kWarpSize; }

/// The block's shared memory as one struct; the launch asks for sizeof(Layout) bytes.
template <typename Layout>
ASHLAR_DEVICE Layout &shared() {
  static_assert(alignof(Layout) <= 1024, "shared memory begins at a multiple of 1024 bytes");
  return *reinterpret_cast<Layout *>(shared_bytes());
}

ASHLAR_DEVICE float shuffle(float x, uint32 from_lane, uint32 mask = kAllLanes) {
  return float_of(shuffle_bits(bits_of(x), from_lane, mask));
}
ASHLAR_DEVICE uint32 shuffle(uint32 x, uint32 from_lane, uint32 mask = kAllLanes) {
  return shuffle_bits(x, from_lane, mask);
}
ASHLAR_DEVICE float shuffle_xor(float x, uint32 lanes, uint32 mask = kAllLanes) {
  return shuffle(x, lane() ^ lanes, mask);
}

ASHLAR_DEVICE int64 maximum(int64 a, int64 b) { return a > b ? a : b; }
ASHLAR_DEVICE int64 minimum(int64 a, int64 b) { return a < b ? a : b; }
ASHLAR_DEVICE int32 maximum(int32 a, int32 b) { return a > b ? a : b; }
ASHLAR_DEVICE int32 minimum(int32 a, int32 b) { return a < b ? a : b; }

/// x rounded to T, to nearest even.
template <typename T>
ASHLAR_DEVICE T round_to(float x) {
  T y;
  from_float(y, x);
  return y;
}

/// Two elements in one register, the first in the low half.
template <typename T>
ASHLAR_DEVICE uint32 pack(float low, float high) {
  return uint32(round_to<T>(low).bits) | uint32(round_to<T>(high).bits) << 16;
}

/// The wgmma descriptor of a K-major tile of 16-bit elements whose rows are 64 elements in 128
/// bytes, swizzled by 128 bytes, and which begins at a multiple of 1024 bytes; `element` (a
/// multiple of 16, under 64) is where along K the product begins. Rows of a group of eight follow
/// each other: the next group is 1024 bytes on (PTX ISA, "Matrix Descriptor Format").
template <typename T>
ASHLAR_DEVICE uint64 swizzled_descriptor(const T *tile, int element) {
  static_assert(sizeof(T) == 2, "16-bit elements");
  uint64 start = (shared_address(tile) + element * 2) & 0x3ffff;
  return start >> 4 | uint64(1) << 16 | uint64(1024 >> 4) << 32 | uint64(1) << 62;
}

} // namespace ashlar
