// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory that sessions of any programs draw from, with a limit:
//
//   auto pool = std::make_shared<MemoryPool>(MemoryPool::Options{uint64_t{2} << 30});
//   SessionOptions options;
//   options.memory_pool = pool;
//
// What a session gives back is kept for the next one, touched pages and all, so that a session per
// request takes no page faults; it is let go where the limit needs it, or the system has no more.
#pragma once

#include <cstdint>
#include <limits>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/memory/memory_region.h"

namespace ashlar {

// Usable from any thread. Outlives what was taken from it.
class MemoryPool {
 public:
  struct Options {
    uint64_t limit = std::numeric_limits<uint64_t>::max();  // bytes, of blocks in use and kept
    Allocator allocator;                                    // none: the system's pages
  };
  struct Block {
    MemoryRegion region;  // at least the bytes asked for
    bool zero = false;    // whether all of it is zero
  };

  explicit MemoryPool(const Options& options) : options_(options) {}

  // Returns a block for `what`. ResourceExhausted tells the limit, what is in use, and what was
  // asked for. A kept block is given out again where at most a quarter of it would be idle. The
  // allocator is called with no lock held.
  absl::StatusOr<Block> Take(uint64_t bytes, const char* what);

  // Takes a block back.
  void Return(MemoryRegion region);

  // Releases what is kept.
  void Trim();

  uint64_t limit() const { return options_.limit; }
  uint64_t in_use() const;
  uint64_t kept() const;

 private:
  const Options options_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<MemoryRegion> free_;
  uint64_t in_use_ = 0, kept_ = 0;
};

}  // namespace ashlar
