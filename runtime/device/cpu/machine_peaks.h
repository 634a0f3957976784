// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What this machine can do at most, measured: the limits that benchmarks are held against.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "runtime/device/cpu/peak_kernels.h"
#include "runtime/device/cpu/thread_pool.h"

namespace ashlar {

// The best of several tries (others may be using the machine), in 10^9 operations or bytes per
// second. A copy counts what it reads and what it writes.
struct Peak {
  std::string kind;
  std::string unit;         // "GFLOP/s", "GOP/s", "GB/s"
  std::string instruction;  // of the kernel that was fastest on all cores
  double one_core = 0, all_cores = 0;
  std::string reason;  // why there is no figure; empty when there is one
};

// The least that memory is measured on, in bytes.
inline constexpr int64_t kLeastPeakBytes = 4 << 20;

// Measures the kinds that are named, all when none is, in the kernels' order, on one core and on
// all (which may be the same pool). `milliseconds`: how long each kernel is tried.
// Memory for a read or a copy: `bytes` each for source and destination; 0: four times the last
// level cache, at least 256 MiB, at most an eighth of the memory; kLeastPeakBytes at the least.
std::vector<Peak> MeasureMachinePeaks(Executor& one, Executor& all,
                                      const std::set<std::string>& kinds, int milliseconds,
                                      int64_t bytes = 0);

}  // namespace ashlar
