// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/device/emulator/fiber.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "runtime/base/status.h"

// System V x86-64: six callee-saved registers and the return address make a context.
asm(R"(
.text
.globl ashlar_emulator_switch
.type ashlar_emulator_switch, @function
ashlar_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  retq
.size ashlar_emulator_switch, . - ashlar_emulator_switch
)");

namespace ashlar::emulator {

absl::StatusOr<std::unique_ptr<FiberStacks>> FiberStacks::Create(size_t count) {
  size_t bytes = (count + 1) * kStackBytes;
  void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return ErrnoError(errno, "mmap", "the emulator's stacks");
  return std::unique_ptr<FiberStacks>(new FiberStacks(static_cast<char*>(mapping), bytes, count));
}

FiberStacks::FiberStacks(char* mapping, size_t mapped, size_t count)
    : mapping_(mapping), mapped_(mapped), count_(count) {
  uintptr_t aligned = (reinterpret_cast<uintptr_t>(mapping) + kStackBytes - 1) & ~(kStackBytes - 1);
  base_ = reinterpret_cast<char*>(aligned);
}

FiberStacks::~FiberStacks() { munmap(mapping_, mapped_); }

void* FiberStacks::Prepare(size_t i, void (*entry)()) const {
  auto* top = reinterpret_cast<uint64_t*>(base_ + (i + 1) * kStackBytes);
  // Where `entry` begins, the stack pointer must be 8 below a multiple of 16, as after a call.
  top -= 1;
  *--top = reinterpret_cast<uint64_t>(entry);
  for (int r = 0; r < 6; ++r) *--top = 0;
  return top;
}

}  // namespace ashlar::emulator
