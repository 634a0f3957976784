// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Happens-before among the threads of a block, by vector clocks (Lamport; Mattern). Each thread
// counts the times at which it passed on what it did; an access is stamped with its thread's count,
// and is ordered before another thread's access if that thread has since learned of the count.
// Threads that leave a barrier share one vector, so that a barrier costs one vector, not one per
// thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace ashlar::emulator {

// Per thread of the block, and last the copy engine, the latest count that is known of.
using Clocks = std::vector<uint32_t>;
using SharedClocks = std::shared_ptr<const Clocks>;

// Raises each count of `clocks` to that of `other`.
inline void Join(Clocks& clocks, const Clocks& other) {
  for (size_t i = 0; i < clocks.size(); ++i) clocks[i] = std::max(clocks[i], other[i]);
}

// An access in 32 bits: 0 is none.
class Stamp {
 public:
  Stamp() = default;
  Stamp(uint32_t thread, uint32_t clock) : bits_(clock << kThreadBits | thread) {}
  bool empty() const { return bits_ == 0; }
  uint32_t thread() const { return bits_ & ((1u << kThreadBits) - 1); }
  uint32_t clock() const { return bits_ >> kThreadBits; }

  // Whether the access is ordered before one that `thread` makes now, knowing of `known`.
  bool Before(uint32_t reader, const Clocks& known) const {
    return empty() || thread() == reader || known[thread()] >= clock();
  }

 private:
  static constexpr int kThreadBits = 11;  // 1024 threads and the copy engine
  uint32_t bits_ = 0;
};

}  // namespace ashlar::emulator
