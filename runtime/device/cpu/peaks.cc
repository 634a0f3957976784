// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/peaks.h"

#include <algorithm>
#include <chrono>

#include "runtime/device/cpu/machine_peaks.h"

namespace ashlar {
namespace {

constexpr int kMilliseconds = 60;  // that each way to compute or to read is tried

}  // namespace

double MeasureLaunch(Executor& pool) {
  constexpr int kSeries = 50, kLaunches = 100;
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int series = 0; series < kSeries; ++series) {
    auto begin = Clock::now();
    for (int i = 0; i < kLaunches; ++i) pool.ParallelFor(pool.size(), [](int64_t, int64_t, int) {});
    std::chrono::duration<double, std::micro> time = Clock::now() - begin;
    best = std::min(best, time.count() / kLaunches);
  }
  return best;
}

Peaks MeasurePeaks(Executor& pool) {
  Peaks peaks;
  for (const Peak& peak : MeasureMachinePeaks(pool, pool, {"f32", "read"}, kMilliseconds))
    (peak.kind == "f32" ? peaks.f32_gflops : peaks.read_gbs) = peak.all_cores;
  peaks.launch_us = MeasureLaunch(pool);
  return peaks;
}

}  // namespace ashlar
