// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What lies where in an entry's arena, and from which launch to which.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/program/artifact_generated.h"

namespace ashlar {

// Bytes [offset, offset + bytes) of the arena, at the bound, between being written and being read
// for the last time. Launches count from 0; -1 is before the first, the number of launches after
// the last.
struct LiveRange {
  std::string name;  // an input's or output's, else the place of what writes it
  uint64_t offset = 0, bytes = 0;
  int first = -1, last = -1;
};

// In the order in which they are written. A range that is partly overwritten lives on until the
// rest of it is read for the last time.
std::vector<LiveRange> MemoryMap(const fb::ProgramT& program, const fb::EntryT& entry);

}  // namespace ashlar
