// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How many threads are worth having.
#pragma once

namespace ashlar {

// Returns the number of physical cores that this process may use: the CPUs of its affinity mask
// with hyper-threads counted once, at most the quota of its cgroup rounded up. At least 1. Counted
// at the first call.
int AvailableCores();

}  // namespace ashlar
