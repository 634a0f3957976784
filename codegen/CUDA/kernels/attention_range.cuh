// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "device.h"

namespace ashlar {

/// What one block of an attention kernel works on: keys [first, end) are looked at.
struct AttentionRange {
  int32 rows; // of this sequence and key head
  int32 first, end;
};

} // namespace ashlar
