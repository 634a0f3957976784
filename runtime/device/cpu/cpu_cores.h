// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many threads are worth having, and how much memory.
#pragma once

#include <cstdint>
#include <string>

namespace ashlar {

// Returns the number of physical cores that this process may use: the CPUs of its affinity mask
// with hyper-threads counted once, at most the quota of its cgroup rounded up. At least 1. Counted
// at the first call.
int AvailableCores();

// Returns the bytes of memory that this process may take: the machine's, at most its cgroup's
// limit.
int64_t AvailableMemory();

// Bytes of the largest cache of a level (2: a core's own; 3: what neighbouring cores share), 0
// where the system does not say. `directory` is where Linux describes the caches of a CPU: `index0`
// and so on, each with `level`, `type` and `size`.
int64_t CacheBytes(int level, const std::string& directory = "/sys/devices/system/cpu/cpu0/cache");
int64_t SecondLevelCacheBytes();
// The last one that several cores may share; 0 where the system does not say.
int64_t LastLevelCacheBytes();

}  // namespace ashlar
