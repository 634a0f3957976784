// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What this machine can do at most, measured: the limits that benchmarks and profiles are held
// against.
#pragma once

#include "runtime/device/cpu/thread_pool.h"

namespace ashlar {

// For all threads of a pool together; a pool of one gives one core's.
struct Peaks {
  double f32_gflops =
      0;  // fused multiply-adds on registers, two operations each, in the widest vectors there are
  double read_gbs = 0;  // 10^9 bytes per second read from memory, from a buffer that no cache holds
  double launch_us = 0;  // an empty launch on all threads, hot
};

// The microseconds of an empty launch on all threads, hot: the best of several series.
double MeasureLaunch(Executor& pool);

// Takes about a second and, for the time, four times the last-level cache, 256 MiB at least. Each
// figure is the best of several tries in several ways (machine_peaks.h), because others may be
// using the machine. `read_gbs` is 0 when the buffer cannot be had.
Peaks MeasurePeaks(Executor& pool);

}  // namespace ashlar
