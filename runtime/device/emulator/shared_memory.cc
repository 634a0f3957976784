// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/device/emulator/shared_memory.h"

#include <cstring>

#include "runtime/base/status.h"

namespace ashlar::emulator {
namespace {

std::string Describe(Access access, size_t bytes, size_t offset) {
  return StrCat(access == Access::kRead ? "reads " : "writes ", bytes, " bytes at offset ", offset,
                " of shared memory");
}

// "thread 7" or, for the index beyond the last thread, the engine.
std::string Who(Stamp stamp, const Clocks& known) {
  if (stamp.thread() + 1 == known.size()) return "the asynchronous copy engine";
  return StrCat("thread ", stamp.thread());
}

}  // namespace

void SharedMemory::Reset(size_t bytes) {
  if (allocated_ < bytes || !data_) {
    allocated_ = (bytes / kAlignment + 1) * kAlignment;
    data_.reset(static_cast<char*>(std::aligned_alloc(kAlignment, allocated_)));
  }
  bytes_ = bytes;
  std::memset(data_.get(), 0xff, allocated_);
  shadow_.assign(bytes, Byte());
}

std::string SharedMemory::Check(size_t offset, size_t bytes, Access access, uint32_t thread,
                                uint32_t clock, const Clocks& known, const Clocks* fenced) {
  if (offset + bytes > bytes_)
    return StrCat(Describe(access, bytes, offset), ", which has ", bytes_, " bytes");
  Stamp stamp(thread, clock);
  for (size_t i = offset; i < offset + bytes; ++i) {
    Byte& byte = shadow_[i];
    if (byte.copied_by != 0)
      return StrCat(Describe(access, bytes, offset), ", where an asynchronous copy by thread ",
                    byte.copied_by - 1, " has not been waited for");
    if (access != Access::kWrite && byte.write.empty())
      return StrCat(Describe(access, bytes, offset), ", of which nothing has written byte ", i);
    bool both_atomic = access == Access::kAtomic && byte.atomic;
    if (!both_atomic && !byte.write.Before(thread, known))
      return StrCat(Describe(access, bytes, offset), ", which ", Who(byte.write, known),
                    " wrote with no barrier between them (race)");
    if (fenced && byte.write.thread() + 1 != known.size() &&
        (*fenced)[byte.write.thread()] < byte.write.clock())
      return StrCat(Describe(access, bytes, offset), " through the asynchronous proxy, which ",
                    Who(byte.write, known), " wrote with no fence_async_proxy after it");
    if (access == Access::kRead) {
      if (byte.read[0].Before(thread, known))
        byte.read[0] = stamp;
      else
        byte.read[1] = stamp;
      continue;
    }
    for (Stamp& read : byte.read) {
      if (!read.Before(thread, known))
        return StrCat(Describe(access, bytes, offset), ", which ", Who(read, known),
                      " read with no barrier between them (race)");
      read = Stamp();
    }
    byte.write = stamp;
    byte.atomic = access == Access::kAtomic;
  }
  return std::string();
}

std::string SharedMemory::BeginCopy(size_t offset, size_t bytes, uint32_t thread, uint32_t clock,
                                    const Clocks& known) {
  std::string error = Check(offset, bytes, Access::kWrite, thread, clock, known);
  if (!error.empty()) return error;
  for (size_t i = offset; i < offset + bytes; ++i) shadow_[i].copied_by = thread + 1;
  std::memset(data_.get() + offset, 0xff, bytes);
  return error;
}

void SharedMemory::EndCopy(size_t offset, const char* data, size_t bytes, uint32_t thread,
                           uint32_t clock) {
  std::memcpy(data_.get() + offset, data, bytes);
  for (size_t i = offset; i < offset + bytes; ++i) {
    shadow_[i].copied_by = 0;
    shadow_[i].write = Stamp(thread, clock);
    shadow_[i].atomic = 0;
  }
}

}  // namespace ashlar::emulator
