// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fibres: stacks that a host thread switches between in a few instructions. A fibre that is never
// resumed costs nothing and needs no unwinding, because kernel text has no destructors; that is how
// a failed kernel is left.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "runtime/device/emulator/emulator_abi.h"

namespace ashlar::emulator {

// Saves the callee-saved registers on the current stack and its pointer in `*save`, then continues
// on `load`.
extern "C" void ashlar_emulator_switch(void** save, void* load);

// Aligned stacks for up to `count` fibres; pages are touched when they are used.
class FiberStacks {
 public:
  static absl::StatusOr<std::unique_ptr<FiberStacks>> Create(size_t count);
  ~FiberStacks();
  FiberStacks(const FiberStacks&) = delete;
  FiberStacks& operator=(const FiberStacks&) = delete;

  size_t count() const { return count_; }

  // The thread's state at the low end of stack `i`.
  Thread* thread(size_t i) const { return reinterpret_cast<Thread*>(base_ + i * kStackBytes); }

  // Returns a stack pointer for ashlar_emulator_switch that calls `entry`, which must not return.
  // The canary of thread(i) must have been set.
  void* Prepare(size_t i, void (*entry)()) const;

  // The stack that `address` lies in, or -1.
  long Find(const void* address) const {
    size_t offset = static_cast<const char*>(address) - base_;
    return offset < count_ * kStackBytes ? static_cast<long>(offset / kStackBytes) : -1;
  }

 private:
  FiberStacks(char* mapping, size_t mapped, size_t count);
  char* mapping_;
  size_t mapped_;
  char* base_;
  size_t count_;
};

// The thread whose stack the caller runs on.
inline Thread* CurrentThread() {
  return reinterpret_cast<Thread*>(reinterpret_cast<unsigned long>(__builtin_frame_address(0)) &
                                   ~(kStackBytes - 1));
}

}  // namespace ashlar::emulator
