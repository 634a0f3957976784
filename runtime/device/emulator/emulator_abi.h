// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What compiled kernel text and the emulator know of each other. A kernel compiled for the emulator
// has no undefined symbols and no writable data: every fibre's stack is aligned to kStackBytes and
// begins with a Thread, so that a kernel finds its thread, and through it the emulator's functions,
// from its own stack pointer. The header is part of the device library's text and therefore
// includes nothing. Both sides are built from the same version: kAbiVersion tells when not.
#pragma once

namespace ashlar::emulator {

inline constexpr unsigned kAbiVersion = 2;
inline constexpr unsigned long kStackBytes = 64 * 1024;

struct Thread;

enum class Access : unsigned { kRead, kWrite, kAtomic };

// What the lanes of a warp do together.
enum class WarpOp : unsigned {
  kSync,      // orders the memory accesses of the lanes
  kBallot,    // in: value[0]; out: value[0], one bit per lane with a value other than 0
  kShuffle,   // in: value[0], value[1] = lane to read; out: value[0]
  kLdmatrix,  // pointer[0] = row's address, pointer[1] = out registers; value[0] = matrices,
              // value[1] = transposed
  kMmaBf16,   // m16n8k16: pointers to d (4 floats, added to), a (4 registers), b (2 registers)
  kMmaF16,
  kMmaTf32,  // m16n8k8: d (4 floats), a (4 registers), b (2 registers)
};

// A lane's part of a warp operation.
struct WarpOperands {
  void* pointer[3];
  unsigned value[2];
};

enum class AtomicOp : unsigned {
  kAddF32,
  kAddU32,
  kMaxU32,
  kMinU32,
  kExchangeU32,
  kCompareSwapU32
};
enum class Math : unsigned { kExp, kExp2, kLog, kTanh, kErf, kSin, kCos, kSqrt, kRsqrt };

// A box of a row-major matrix in global memory, as the asynchronous copy engine reads it; as large
// and as aligned as the driver's own description, whose place it takes.
struct alignas(64) TensorMap {
  const char* base;
  unsigned long long rows, columns, row_stride;  // elements, elements, bytes
  unsigned box_rows, box_columns, element_bytes, swizzle_bytes;
  unsigned magic;
  char rest[76];
};
static_assert(sizeof(TensorMap) == 128);
inline constexpr unsigned kTensorMapMagic = 0x54454d55;

// The emulator's functions. `pc` is an address in the kernel's code that the call stands for; the
// others take it from their own return address.
struct Api {
  void (*access)(Thread*, const void* address, unsigned long bytes, Access kind, const void* pc);

  void (*barrier)(Thread*, unsigned id, unsigned threads);  // 0 threads: all of the block
  void (*barrier_arrive)(Thread*, unsigned id, unsigned threads);
  void (*warp)(Thread*, WarpOp op, unsigned mask, WarpOperands* operands);

  void (*copy_async)(Thread*, void* shared, const void* global, unsigned bytes, unsigned valid);
  void (*copy_commit)(Thread*);
  void (*copy_wait)(Thread*, unsigned pending_groups);

  void (*mbarrier_init)(Thread*, void* barrier, unsigned arrivals);
  void (*mbarrier_arrive)(Thread*, void* barrier, unsigned arrivals, unsigned expected_bytes);
  void (*mbarrier_wait)(Thread*, void* barrier, unsigned parity);
  void (*tma_load)(Thread*, void* shared, const void* map, int column, int row, void* barrier);
  void (*fence_async_proxy)(Thread*);

  void (*wgmma_fence)(Thread*);
  void (*wgmma)(Thread*, float* accumulators, unsigned n, unsigned long long a,
                unsigned long long b, unsigned accumulate, unsigned is_f16);
  void (*wgmma_commit)(Thread*);
  void (*wgmma_wait)(Thread*, unsigned pending_groups);

  unsigned (*atomic)(Thread*, AtomicOp op, void* address, unsigned value, unsigned compare);
  float (*math)(Math function, float x);
  void (*fail)(Thread*, const char* message);
};

struct Thread {
  Api api;         // here rather than pointed to: instrumented code may read its own stack
  void* emulator;  // what runs the block
  char* shared;    // the block's dynamic shared memory, aligned to 1024 bytes
  unsigned shared_bytes;
  unsigned index;  // within the block; blocks are one-dimensional
  unsigned threads;
  unsigned block[3];
  unsigned grid[3];
  unsigned long canary;  // last: the stack grows down towards it
};

}  // namespace ashlar::emulator
