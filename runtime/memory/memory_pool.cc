// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/memory_pool.h"

#include <algorithm>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

namespace ashlar {

absl::StatusOr<MemoryPool::Block> MemoryPool::Take(uint64_t bytes, const char* what) {
  if (bytes == 0) return Block();
  std::vector<MemoryRegion> evicted;  // released outside of the lock
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto best = free_.end();
    for (auto it = free_.begin(); it != free_.end(); ++it)
      if (it->bytes() >= bytes && it->bytes() - bytes <= bytes / 3 &&
          (best == free_.end() || it->bytes() < best->bytes()))
        best = it;
    if (best != free_.end()) {
      Block block{std::move(*best), false};
      free_.erase(best);
      kept_ -= block.region.bytes();
      in_use_ += block.region.bytes();
      return block;
    }
    if (bytes > options_.limit || in_use_ > options_.limit - bytes)
      return WithCode(
          ErrorCode::kPoolLimit,
          ResourceExhausted("the memory pool has ", options_.limit, " bytes, ", in_use_,
                            " of them in use; ", what, " would take ", bytes,
                            ": close sessions, raise the limit, or compile with smaller bounds"));
    while (in_use_ + kept_ > options_.limit - bytes) {
      kept_ -= free_.front().bytes();
      evicted.push_back(std::move(free_.front()));
      free_.erase(free_.begin());
    }
    in_use_ += bytes;  // so that nobody else takes this room meanwhile
  }
  evicted.clear();
  auto region = MemoryRegion::Allocate(bytes, what, options_.allocator);
  if (!region.ok()) {
    Trim();  // what is kept may be what is lacking
    region = MemoryRegion::Allocate(bytes, what, options_.allocator);
  }
  if (!region.ok()) {
    std::lock_guard<std::mutex> lock(mutex_);
    in_use_ -= bytes;
    return region.status();
  }
  const bool zero = region->was_zero();
  return Block{*std::move(region), zero};
}

void MemoryPool::Return(MemoryRegion region) {
  if (region.bytes() == 0) return;
  std::lock_guard<std::mutex> lock(mutex_);
  in_use_ -= region.bytes();
  kept_ += region.bytes();
  free_.push_back(std::move(region));
}

void MemoryPool::Trim() {
  std::vector<MemoryRegion> released;
  std::lock_guard<std::mutex> lock(mutex_);
  released.swap(free_);
  kept_ = 0;
}

uint64_t MemoryPool::in_use() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return in_use_;
}

uint64_t MemoryPool::kept() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return kept_;
}

}  // namespace ashlar
