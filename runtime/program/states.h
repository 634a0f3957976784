// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the states of a program are shared among its sequences.
#pragma once

#include <algorithm>
#include <cstdint>

#include "runtime/program/artifact_generated.h"

namespace ashlar {

// The sequences that there is room for: each has an element of every counter, and an equal part of
// every state. 0 where there are no counters, or no equal parts.
inline int64_t SequenceRoom(const fb::ProgramT& program) {
  uint64_t sequences = 0;
  for (const auto& state : program.states)
    if (state->dtype == fb::DType::I64)
      sequences = std::max<uint64_t>(sequences, state->bytes / sizeof(int64_t));
  for (const auto& state : program.states)
    if (sequences > 0 && state->bytes % sequences != 0) return 0;
  return static_cast<int64_t>(sequences);
}

}  // namespace ashlar
