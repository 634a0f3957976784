// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs one block at a time: its threads are fibres that run until they must wait for others. When
// none can go on, the oldest bulk copy lands; when there is none, the block hangs, which is an
// error that names who waits for what.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/device/emulator/fiber.h"
#include "runtime/device/emulator/launch.h"
#include "runtime/device/emulator/operands.h"
#include "runtime/device/emulator/shared_memory.h"

namespace ashlar::emulator {

inline constexpr unsigned kWarp = 32, kWarpgroup = 128, kBarriers = 16;

// An asynchronous copy of one contiguous range into shared memory: the first `valid` bytes from
// `global`, then zeros.
struct Copy {
  size_t offset;
  const char* global;
  unsigned bytes, valid;
  uint32_t thread;  // that issued it
};

// What a fibre waits for: the parts, if there, make a sentence.
struct WaitReason {
  const char* what = "";
  const char* name = nullptr;
  size_t number = 0;
  size_t phase = 0;  // + 1
};

struct Fiber {
  enum class State { kReady, kWaiting, kFinished };

  Thread* thread;
  void* stack_pointer;
  State state;
  uint32_t clock;      // times it has passed on what it did, from 1
  SharedClocks known;  // its own entry is not kept up
  WaitReason wait;
  const void* pc;  // where

  WarpOp op;
  unsigned mask;
  WarpOperands* operands;  // null when it is in no warp operation

  std::vector<Copy> open_copies;
  std::deque<std::vector<Copy>> copy_groups;
  bool wgmma_fenced;
};

class Block {
 public:
  // `placed` and `launch` outlive the block.
  Block(const Launch& launch, PlacedOperands& placed, FiberStacks& stacks);

  // Runs the block with this linear index; returns what is wrong, or an empty string.
  std::string Run(uint64_t block);

  // For the emulator's functions: each is called on the stack of a fibre of the block.
  Fiber& fiber(const Thread* thread) { return fibers_[thread->index]; }
  [[noreturn]] void Fail(Fiber& fiber, const std::string& message, const void* pc);
  void CheckAccess(Fiber& fiber, const void* address, size_t bytes, Access access, const void* pc);

  void Barrier(Fiber& fiber, unsigned id, unsigned threads, bool wait, const void* pc);
  void Warp(Fiber& fiber, WarpOp op, unsigned mask, WarpOperands* operands, const void* pc);

  void CopyAsync(Fiber& fiber, void* shared, const void* global, unsigned bytes, unsigned valid,
                 const void* pc);
  void CopyCommit(Fiber& fiber);
  void CopyWait(Fiber& fiber, unsigned pending_groups);

  void MbarrierInit(Fiber& fiber, void* barrier, unsigned arrivals, const void* pc);
  void MbarrierArrive(Fiber& fiber, void* barrier, unsigned arrivals, unsigned bytes,
                      const void* pc);
  void MbarrierWait(Fiber& fiber, void* barrier, unsigned parity, const void* pc);
  void TmaLoad(Fiber& fiber, void* shared, const TensorMap& map, int column, int row, void* barrier,
               const void* pc);
  void FenceAsyncProxy(Fiber& fiber);

  struct WgmmaCall {
    enum class Kind { kMultiply, kCommit, kWait } kind;
    unsigned n;  // columns, or pending groups
    uint64_t a, b;
    bool accumulate;
    bool is_f16;  // or bf16
    float* accumulators;
  };
  void Wgmma(Fiber& fiber, const WgmmaCall& call, const void* pc);

 private:
  struct NamedBarrier {
    unsigned threads = 0, arrived = 0;
    std::vector<Fiber*> waiting;
    Clocks joined;
    const Clocks* last = nullptr;  // what was joined last: most threads know the same
  };
  struct Mbarrier {
    unsigned expected = 0, pending = 0;
    int64_t bytes = 0;
    unsigned phase = 0;
    Stamp init;
    Clocks joined;
    SharedClocks released;
    std::vector<std::pair<Fiber*, unsigned>> waiting;  // with the parity
  };
  struct BulkCopy {
    std::vector<Copy> rows;
    size_t barrier;
  };
  // A warp operation that lanes are in; others of the warp may be in another one.
  struct WarpState {
    WarpOp op = WarpOp::kSync;
    unsigned mask = 0, arrived = 0;
  };
  // What a multiplication reads: two tiles, as bytes and where they lie, row by row.
  struct Tiles {
    std::vector<size_t> offsets;  // of 16-byte pieces
    std::vector<char> bytes;
  };
  struct Multiplication {
    WgmmaCall call;
    std::vector<float*> accumulators;
    Tiles a, b;
  };
  struct Warpgroup {
    std::vector<std::pair<Fiber*, WgmmaCall>> posted;
    std::vector<Multiplication> open;
    std::deque<std::vector<Multiplication>> groups;
    // The values of accumulators that hold NaN patterns until the wait, by the first thread's.
    std::map<float*, std::vector<float>> values;
  };

  static void FiberMain();
  void Wait(Fiber& fiber, const WaitReason& reason, const void* pc);
  void Wake(Fiber& fiber);
  void ReleaseInto(Fiber& fiber, Clocks& joined);
  void Schedule();
  std::string DescribeHang() const;
  std::string At(const void* pc) const;
  std::string Name(const Fiber& fiber) const;

  unsigned CountArrived(Fiber& fiber, unsigned first, const void* pc);
  void ExecuteWarp(unsigned first, WarpOp op, unsigned mask);
  void ExecuteShuffle(unsigned first, unsigned mask);
  void ExecuteLdmatrix(unsigned first);
  void ExecuteMma(unsigned first, WarpOp op);

  Mbarrier& FindMbarrier(Fiber& fiber, void* barrier, const void* pc);
  void CompletePhase(Mbarrier& barrier);
  void LandBulkCopy();
  void EndCopy(const Copy& copy, uint32_t thread, uint32_t clock);

  void Multiply(Fiber& fiber, Warpgroup& group, const void* pc);
  void Retire(Fiber& fiber, Warpgroup& group, const Multiplication& multiplication, const void* pc);
  Tiles ReadTile(Warpgroup& group, uint64_t descriptor, unsigned rows, const void* pc);

  const Launch& launch_;
  PlacedOperands& placed_;
  FiberStacks& stacks_;
  std::vector<Fiber> fibers_;
  SharedMemory shared_;
  std::deque<Fiber*> ready_;
  void* scheduler_ = nullptr;
  uint64_t block_ = 0;
  std::string error_;
  const void* error_pc_ = nullptr;

  std::map<unsigned, NamedBarrier> barriers_;
  std::map<size_t, Mbarrier> mbarriers_;
  std::deque<BulkCopy> bulk_copies_;
  std::vector<WarpState> warps_;
  std::vector<Warpgroup> warpgroups_;
  Clocks fenced_;  // per thread, the clock of its last fence_async_proxy
  uint32_t engine_clock_ = 0;
};

// What the kernel calls.
extern const Api kApi;

}  // namespace ashlar::emulator
