// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/memory_region.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr uint64_t kHugePage = uint64_t{2} << 20;
std::atomic<uint64_t> live_bytes{0};

}  // namespace

absl::StatusOr<MemoryRegion> MemoryRegion::Allocate(uint64_t bytes, const char* what,
                                                    const Allocator& allocator) {
  MemoryRegion region;
  if (bytes == 0) return region;
  if (allocator) {
    region.data_ = allocator.allocate(allocator.context, bytes, kAlignment);
    if (!region.data_)
      return WithCode(
          ErrorCode::kOutOfMemory,
          ResourceExhausted("the application's allocator gave no ", bytes, " bytes for ", what));
    region.origin_ = Origin::kAllocator;
    region.allocator_ = allocator;
  } else {
    void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
      return WithCode(ErrorCode::kOutOfMemory,
                      ResourceExhausted("cannot get ", bytes, " bytes of memory for ", what,
                                        ": mmap: ", std::strerror(errno)));
    if (bytes >= 2 * kHugePage) madvise(data, bytes, MADV_HUGEPAGE);
    region.data_ = data;
  }
  region.bytes_ = bytes;
  live_bytes += bytes;
  return region;
}

MemoryRegion MemoryRegion::View(void* data, uint64_t bytes) {
  MemoryRegion region;
  region.data_ = data;
  region.bytes_ = bytes;
  region.origin_ = Origin::kCaller;
  return region;
}

MemoryRegion::~MemoryRegion() {
  if (!data_ || origin_ == Origin::kCaller) return;
  if (origin_ == Origin::kAllocator)
    allocator_.release(allocator_.context, data_, bytes_);
  else
    munmap(data_, bytes_);
  live_bytes -= bytes_;
}

uint64_t MemoryRegion::LiveBytes() { return live_bytes; }

}  // namespace ashlar
