// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "reduce.cuh"

namespace ashlar {

/// What one block of an attention kernel works on: keys [first, end) are looked at.
struct AttentionRange {
  int32 rows; // of this sequence and key head
  int32 first, end;
};

/// What a block does whose part of the keys is empty: its rows' logsumexps say so, and their
/// outputs are not looked at. Returns whether it is.
template <typename Shape, typename LogSumExp>
ASHLAR_DEVICE bool leave_empty_part(const AttentionRange &range, LogSumExp logsumexp) {
  if (range.first < range.end)
    return false;
  const int row = block_x() * Shape::kRows + thread_index();
  if (static_cast<int>(thread_index()) < Shape::kRows && row < range.rows)
    logsumexp(row, Max::identity());
  return true;
}

} // namespace ashlar
