// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of functions that kernels call.

#include <cmath>

#include "runtime/device/emulator/block.h"

namespace ashlar::emulator {
namespace {

#define ASHLAR_CALLER __builtin_return_address(0)

Block& BlockOf(Thread* thread) { return *static_cast<Block*>(thread->emulator); }
Fiber& FiberOf(Thread* thread) { return BlockOf(thread).fiber(thread); }

float Evaluate(Math function, float x) {
  switch (function) {
    case Math::kExp:
      return std::exp(x);
    case Math::kExp2:
      return std::exp2(x);
    case Math::kLog:
      return std::log(x);
    case Math::kTanh:
      return std::tanh(x);
    case Math::kErf:
      return std::erf(x);
    case Math::kSin:
      return std::sin(x);
    case Math::kCos:
      return std::cos(x);
    case Math::kSqrt:
      return std::sqrt(x);
    case Math::kRsqrt:
      return 1.0f / std::sqrt(x);
  }
  return NAN;
}

template <typename Update>
unsigned Exchange(void* address, Update update) {
  auto* word = static_cast<unsigned*>(address);
  unsigned old = __atomic_load_n(word, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(word, &old, update(old), true, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED)) {
  }
  return old;
}

unsigned AddFloats(unsigned a, unsigned b) {
  float x, y;
  __builtin_memcpy(&x, &a, 4);
  __builtin_memcpy(&y, &b, 4);
  x += y;
  __builtin_memcpy(&a, &x, 4);
  return a;
}

unsigned Atomic(Thread* thread, AtomicOp op, void* address, unsigned value, unsigned compare) {
  BlockOf(thread).CheckAccess(FiberOf(thread), address, 4, Access::kAtomic, ASHLAR_CALLER);
  return Exchange(address, [&](unsigned old) -> unsigned {
    switch (op) {
      case AtomicOp::kAddF32:
        return AddFloats(old, value);
      case AtomicOp::kAddU32:
        return old + value;
      case AtomicOp::kMaxU32:
        return old > value ? old : value;
      case AtomicOp::kMinU32:
        return old < value ? old : value;
      case AtomicOp::kExchangeU32:
        return value;
      case AtomicOp::kCompareSwapU32:
        return old == compare ? value : old;
    }
    return old;
  });
}

void CheckedAccess(Thread* thread, const void* address, unsigned long bytes, Access access,
                   const void* pc) {
  BlockOf(thread).CheckAccess(FiberOf(thread), address, bytes, access, pc);
}
void Barrier(Thread* thread, unsigned id, unsigned threads) {
  BlockOf(thread).Barrier(FiberOf(thread), id, threads, true, ASHLAR_CALLER);
}
void BarrierArrive(Thread* thread, unsigned id, unsigned threads) {
  BlockOf(thread).Barrier(FiberOf(thread), id, threads, false, ASHLAR_CALLER);
}
void Warp(Thread* thread, WarpOp op, unsigned mask, WarpOperands* operands) {
  BlockOf(thread).Warp(FiberOf(thread), op, mask, operands, ASHLAR_CALLER);
}
void CopyAsync(Thread* thread, void* shared, const void* global, unsigned bytes, unsigned valid) {
  BlockOf(thread).CopyAsync(FiberOf(thread), shared, global, bytes, valid, ASHLAR_CALLER);
}
void CopyCommit(Thread* thread) { BlockOf(thread).CopyCommit(FiberOf(thread)); }
void CopyWait(Thread* thread, unsigned pending) {
  BlockOf(thread).CopyWait(FiberOf(thread), pending);
}
void MbarrierInit(Thread* thread, void* barrier, unsigned arrivals) {
  BlockOf(thread).MbarrierInit(FiberOf(thread), barrier, arrivals, ASHLAR_CALLER);
}
void MbarrierArrive(Thread* thread, void* barrier, unsigned arrivals, unsigned bytes) {
  BlockOf(thread).MbarrierArrive(FiberOf(thread), barrier, arrivals, bytes, ASHLAR_CALLER);
}
void MbarrierWait(Thread* thread, void* barrier, unsigned parity) {
  BlockOf(thread).MbarrierWait(FiberOf(thread), barrier, parity, ASHLAR_CALLER);
}
void TmaLoad(Thread* thread, void* shared, const void* map, int column, int row, void* barrier) {
  BlockOf(thread).TmaLoad(FiberOf(thread), shared, *static_cast<const TensorMap*>(map), column, row,
                          barrier, ASHLAR_CALLER);
}
void FenceAsyncProxy(Thread* thread) { BlockOf(thread).FenceAsyncProxy(FiberOf(thread)); }
void WgmmaFence(Thread* thread) { FiberOf(thread).wgmma_fenced = true; }
void Wgmma(Thread* thread, float* accumulators, unsigned n, unsigned long long a,
           unsigned long long b, unsigned accumulate, unsigned is_f16) {
  BlockOf(thread).Wgmma(
      FiberOf(thread),
      {Block::WgmmaCall::Kind::kMultiply, n, a, b, accumulate != 0, is_f16 != 0, accumulators},
      ASHLAR_CALLER);
}
void WgmmaCommit(Thread* thread) {
  BlockOf(thread).Wgmma(FiberOf(thread), {Block::WgmmaCall::Kind::kCommit}, ASHLAR_CALLER);
}
void WgmmaWait(Thread* thread, unsigned pending) {
  BlockOf(thread).Wgmma(FiberOf(thread), {Block::WgmmaCall::Kind::kWait, pending}, ASHLAR_CALLER);
}
void FailKernel(Thread* thread, const char* message) {
  BlockOf(thread).Fail(FiberOf(thread), message, ASHLAR_CALLER);
}

}  // namespace

const Api kApi = {CheckedAccess, Barrier,         BarrierArrive, Warp,           CopyAsync,
                  CopyCommit,    CopyWait,        MbarrierInit,  MbarrierArrive, MbarrierWait,
                  TmaLoad,       FenceAsyncProxy, WgmmaFence,    Wgmma,          WgmmaCommit,
                  WgmmaWait,     Atomic,          Evaluate,      FailKernel};

}  // namespace ashlar::emulator
