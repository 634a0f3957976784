// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many threads are worth having, and how much memory.
#pragma once

#include <cstdint>

namespace ashlar {

// Returns the number of physical cores that this process may use: the CPUs of its affinity mask
// with hyper-threads counted once, at most the quota of its cgroup rounded up. At least 1. Counted
// at the first call.
int AvailableCores();

// Returns the bytes of memory that this process may take: the machine's, at most its cgroup's
// limit.
int64_t AvailableMemory();

// Bytes of one core's own second-level cache, 0 where the system does not say.
int64_t SecondLevelCacheBytes();

}  // namespace ashlar
