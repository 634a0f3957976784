// The oracle of the planner's property tests: tries every offset, and paints bytes and steps one by
// one.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_MEMORY_PLANNER_BRUTEFORCE_H
#define ASHLAR_COMPILER_MEMORY_PLANNER_BRUTEFORCE_H

#include <cstdint>
#include <vector>

#include "compiler/Memory/Planner/Planner.h"

namespace ashlar::planner {

/// For steps and bytes in [0, 64): a handful of buffers.
class BruteForce {
public:
  explicit BruteForce(const Problem &problem)
      : buffers(problem.buffers), offsets(buffers.size(), -1) {}

  /// Returns the smallest peak that any plan has.
  int64_t smallestPeak() {
    for (int64_t capacity = 0; capacity < 64; ++capacity)
      if (fits(0, capacity))
        return capacity;
    return -1;
  }

private:
  /// The step's bytes of a buffer at an offset.
  static uint64_t mask(const Buffer &buffer, int64_t offset, int64_t step) {
    if (step < buffer.lower || step >= buffer.upper)
      return 0;
    int64_t lo = 0, hi = buffer.size;
    for (const Gap &gap : buffer.gaps)
      if (step >= gap.lower && step < gap.upper) {
        lo = gap.windowLower;
        hi = gap.windowUpper;
      }
    uint64_t bytes = 0;
    for (int64_t byte = lo; byte < hi; ++byte)
      bytes |= uint64_t(1) << (offset + byte);
    return bytes;
  }

  size_t root(size_t i) const {
    while (buffers[i].alias)
      i = size_t(buffers[i].alias->buffer);
    return i;
  }

  bool fits(size_t i, int64_t capacity) {
    if (i == buffers.size())
      return aliasesHold();
    const Buffer &buffer = buffers[i];
    // What has no bytes lies anywhere.
    for (int64_t offset = 0; offset + buffer.size <= (buffer.size ? capacity : 24);
         offset += buffer.alignment) {
      if (buffer.offset && offset != *buffer.offset)
        continue;
      bool free = true;
      for (size_t j = 0; j < i && free; ++j)
        for (int64_t step = 0; step < 64 && free; ++step)
          free = root(j) == root(i) ||
                 !(mask(buffers[j], offsets[j], step) & mask(buffer, offset, step));
      if (!free)
        continue;
      offsets[i] = offset;
      if (fits(i + 1, capacity))
        return true;
    }
    return false;
  }

  bool aliasesHold() const {
    for (size_t i = 0; i < buffers.size(); ++i)
      if (buffers[i].alias &&
          offsets[i] != offsets[buffers[i].alias->buffer] + buffers[i].alias->delta)
        return false;
    return true;
  }

  const std::vector<Buffer> &buffers;
  std::vector<int64_t> offsets;
};

} // namespace ashlar::planner

#endif // ASHLAR_COMPILER_MEMORY_PLANNER_BRUTEFORCE_H
