// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PLAN_PLANNINGROOM_H
#define ASHLAR_COMPILER_DISTRIBUTION_PLAN_PLANNINGROOM_H

#include <algorithm>
#include <cstdint>

namespace ashlar {

/// The bytes that the solver may plan with, in rounds that look for a plan whose program fits:
/// between what came out too large and what nothing fitted into.
class PlanningRoom {
public:
  /// 0: any.
  explicit PlanningRoom(int64_t bytes = 0) : bytes(bytes), tooLarge(bytes) {}

  int64_t getBytes() const { return bytes; }
  /// After a program that was too large: takes off by how much, and at least twice what was taken
  /// off last, since a plan may have kept below the limit, so that a little less changes nothing.
  /// Half at most: where weights are kept twice, a plan of half the size does.
  void shrink(int64_t excess) {
    step = std::min(std::max(excess, 2 * step), bytes / 2);
    tooLarge = bytes;
    bytes = std::max(bytes - step, tooSmall + (tooLarge - tooSmall) / 2);
  }
  /// Whether there is something between, some rounds long.
  bool canGrow() const { return bytes < tooLarge && growths < kMostGrowths; }
  /// After no plan fitted.
  void grow() {
    tooSmall = bytes;
    bytes = tooSmall + (tooLarge - tooSmall) / 2;
    step = 0;
    ++growths;
  }

private:
  static constexpr int kMostGrowths = 4;
  int64_t bytes, tooLarge, tooSmall = 0, step = 0;
  int growths = 0;
};

} // namespace ashlar

#endif
