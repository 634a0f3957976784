// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the compiler's thread sanitizer calls around each load and store of kernel text, turned into
// questions to the emulator; nothing of the sanitizer's own runtime is used. Also the memory
// functions that the compiler may call, so that a kernel has no undefined symbol.
#pragma once

#include "emulator_abi.h"

#define ASHLAR_PLAIN __attribute__((disable_sanitizer_instrumentation, no_sanitize("thread"), used))
#define ASHLAR_HOOK ASHLAR_PLAIN __attribute__((visibility("hidden"), noinline))

namespace ashlar::emulator {

__attribute__((always_inline)) inline Thread *current() {
  unsigned long stack = reinterpret_cast<unsigned long>(__builtin_frame_address(0));
  return reinterpret_cast<Thread *>(stack & ~(kStackBytes - 1));
}
ASHLAR_PLAIN __attribute__((always_inline)) inline const Api &api() { return current()->api; }

ASHLAR_PLAIN __attribute__((always_inline)) inline void
accessed(const volatile void *address, unsigned long bytes, Access access, const void *pc) {
  Thread *thread = current();
  // Most instrumented accesses are to the thread's own variables.
  if (reinterpret_cast<unsigned long>(address) - reinterpret_cast<unsigned long>(thread) <
      kStackBytes)
    return;
  thread->api.access(thread, const_cast<const void *>(address), bytes, access, pc);
}

} // namespace ashlar::emulator

#define ASHLAR_CALLER __builtin_return_address(0)
#define ASHLAR_ACCESS(name, bytes, kind)                                                           \
  extern "C" ASHLAR_HOOK void __tsan_##name(void *address) {                                       \
    ashlar::emulator::accessed(address, bytes, ashlar::emulator::Access::kind, ASHLAR_CALLER);     \
  }
#define ASHLAR_ACCESSES(bytes)                                                                     \
  ASHLAR_ACCESS(read##bytes, bytes, kRead)                                                         \
  ASHLAR_ACCESS(write##bytes, bytes, kWrite)                                                       \
  ASHLAR_ACCESS(unaligned_read##bytes, bytes, kRead)                                               \
  ASHLAR_ACCESS(unaligned_write##bytes, bytes, kWrite)                                             \
  ASHLAR_ACCESS(volatile_read##bytes, bytes, kRead)                                                \
  ASHLAR_ACCESS(volatile_write##bytes, bytes, kWrite)                                              \
  ASHLAR_ACCESS(read_write##bytes, bytes, kWrite)                                                  \
  ASHLAR_ACCESS(unaligned_read_write##bytes, bytes, kWrite)

ASHLAR_ACCESSES(1)
ASHLAR_ACCESSES(2)
ASHLAR_ACCESSES(4)
ASHLAR_ACCESSES(8)
ASHLAR_ACCESSES(16)

extern "C" {
ASHLAR_HOOK void __tsan_read_range(void *address, unsigned long bytes) {
  ashlar::emulator::accessed(address, bytes, ashlar::emulator::Access::kRead, ASHLAR_CALLER);
}
ASHLAR_HOOK void __tsan_write_range(void *address, unsigned long bytes) {
  ashlar::emulator::accessed(address, bytes, ashlar::emulator::Access::kWrite, ASHLAR_CALLER);
}
ASHLAR_HOOK void __tsan_func_entry(void *) {}
ASHLAR_HOOK void __tsan_func_exit() {}
ASHLAR_HOOK void __tsan_init() {}

ASHLAR_HOOK void *memcpy(void *to, const void *from, unsigned long bytes) {
  for (unsigned long i = 0; i < bytes; ++i)
    static_cast<volatile char *>(to)[i] = static_cast<const char *>(from)[i];
  return to;
}
ASHLAR_HOOK void *memset(void *to, int value, unsigned long bytes) {
  for (unsigned long i = 0; i < bytes; ++i)
    static_cast<volatile char *>(to)[i] = static_cast<char>(value);
  return to;
}
ASHLAR_HOOK void *__tsan_memcpy(void *to, const void *from, unsigned long bytes) {
  ashlar::emulator::accessed(from, bytes, ashlar::emulator::Access::kRead, ASHLAR_CALLER);
  ashlar::emulator::accessed(to, bytes, ashlar::emulator::Access::kWrite, ASHLAR_CALLER);
  return memcpy(to, from, bytes);
}
ASHLAR_HOOK void *__tsan_memset(void *to, int value, unsigned long bytes) {
  ashlar::emulator::accessed(to, bytes, ashlar::emulator::Access::kWrite, ASHLAR_CALLER);
  return memset(to, value, bytes);
}
ASHLAR_PLAIN __attribute__((visibility("default"))) unsigned ashlar_emulator_abi() {
  return ashlar::emulator::kAbiVersion;
}
}

#undef ASHLAR_CALLER
#undef ASHLAR_ACCESS
#undef ASHLAR_ACCESSES
