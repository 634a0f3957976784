// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/peaks.h"

#include <gtest/gtest.h>

namespace ashlar {
namespace {

// Loose bounds that any x86-64 machine of the last fifteen years keeps, even a busy one; an
// optimised-away loop or a wrong unit does not.
TEST(Peaks, ArePlausible) {
  ThreadPool one(1);
  Peaks peaks = MeasurePeaks(one);
  EXPECT_GT(peaks.f32_gflops, 2);
  EXPECT_LT(peaks.f32_gflops, 1000);
  EXPECT_GT(peaks.read_gbs, 0.5);
  EXPECT_LT(peaks.read_gbs, 500);
  EXPECT_LT(peaks.launch_us, 2);  // one thread: a function call
  RecordProperty("f32_gflops", std::to_string(peaks.f32_gflops));
  RecordProperty("read_gbs", std::to_string(peaks.read_gbs));
}

}  // namespace
}  // namespace ashlar
