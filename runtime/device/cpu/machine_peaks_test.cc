// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/machine_peaks.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "runtime/base/file.h"
#include "runtime/device/cpu/cpu_cores.h"
#include "runtime/device/cpu/cpu_features.h"

namespace ashlar {
namespace {

bool CanRun(const std::vector<std::string>& features) {
  for (const std::string& feature : features)
    if (!HostFeatures().count(feature)) return false;
  return true;
}

// Loose bounds that any x86-64 core of the last fifteen years keeps, even a busy one; an
// optimised-away loop or a wrong unit does not.
TEST(MachinePeaks, ArePlausibleOrHaveAReason) {
  ThreadPool one(1), all(2);
  std::vector<Peak> peaks = MeasureMachinePeaks(one, all, {}, 3, int64_t{32} << 20);
  std::vector<std::string> kinds;
  for (const Peak& peak : peaks) {
    SCOPED_TRACE(peak.kind);
    kinds.push_back(peak.kind);
    if (!peak.reason.empty()) {
      EXPECT_EQ(peak.reason.rfind("the CPU lacks ", 0), 0u) << peak.reason;
      EXPECT_EQ(peak.one_core, 0);
      EXPECT_EQ(peak.all_cores, 0);
      continue;
    }
    EXPECT_FALSE(peak.instruction.empty());
    bool memory = peak.unit == "GB/s" || peak.unit == "Gexp/s";
    EXPECT_GT(peak.one_core, memory ? 0.3 : 2);
    EXPECT_LT(peak.one_core, memory ? 500 : 30000);
    EXPECT_GT(peak.all_cores, memory ? 0.3 : 2);
    EXPECT_LT(peak.all_cores, memory ? 1000 : 60000);
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"f32", "f32_exp", "bf16_dot", "int8_dot", "bf16_tile",
                                             "int8_tile", "read", "copy"}));
}

TEST(MachinePeaks, AFigureExactlyWhereTheCpuHasAWay) {
  ThreadPool one(1);
  for (const Peak& peak : MeasureMachinePeaks(one, one, {}, 0, int64_t{8} << 20)) {
    bool can = false;
    for (const ComputeKernel& kernel : ComputeKernels())
      can |= kernel.kind == peak.kind && CanRun(kernel.features);
    for (const MemoryKernel& kernel : MemoryKernels())
      can |= kernel.kind == peak.kind && CanRun(kernel.features);
    EXPECT_EQ(peak.reason.empty(), can) << peak.kind;
  }
}

TEST(MachinePeaks, OnlyTheKindsThatAreNamed) {
  ThreadPool one(1);
  std::vector<Peak> peaks = MeasureMachinePeaks(one, one, {"f32"}, 0);
  ASSERT_EQ(peaks.size(), 1u);
  EXPECT_EQ(peaks[0].kind, "f32");
}

// Also runs every kernel that this CPU has.
TEST(MachinePeaks, ComputeKernelsCompute) {
  for (const ComputeKernel& kernel : ComputeKernels())
    if (CanRun(kernel.features)) EXPECT_NE(kernel.run(), 0) << kernel.instruction;
}

TEST(MachinePeaks, CopiesCopyAndReadsReadEverything) {
  constexpr int64_t kBytes = 4 * kMemoryGranule;
  auto deleter = [](char* memory) { std::free(memory); };
  auto make = [&] {
    return std::unique_ptr<char, decltype(deleter)>(
        static_cast<char*>(std::aligned_alloc(kMemoryGranule, kBytes)), deleter);
  };
  auto from = make(), to = make();
  for (const MemoryKernel& kernel : MemoryKernels()) {
    if (!CanRun(kernel.features)) continue;
    SCOPED_TRACE(kernel.instruction);
    if (kernel.kind == "copy") {
      for (int64_t i = 0; i < kBytes; ++i) from.get()[i] = static_cast<char>(i * 7 + 1);
      std::memset(to.get(), 0, kBytes);
      kernel.run(from.get(), to.get(), kBytes);
      EXPECT_EQ(std::memcmp(from.get(), to.get(), kBytes), 0);
      continue;
    }
    // Reads return the disjunction of everything in 64-bit lanes, of which some look at one lane:
    // a bit in every lane of a line must be seen wherever the line is.
    for (int64_t line = 0; line < kBytes / 64; ++line) {
      std::memset(from.get(), 0, kBytes);
      std::memset(from.get() + line * 64, 1, 64);
      EXPECT_NE(kernel.run(from.get(), to.get(), kBytes), 0) << "line " << line;
    }
  }
}

// As Linux describes them.
TEST(CacheBytes, AreTheLargestOfALevelThatHoldsData) {
  const std::string directory = ::testing::TempDir() + "caches_" + std::to_string(getpid());
  auto write = [&](int index, const std::string& level, const std::string& type,
                   const std::string& size) {
    const std::string cache = directory + "/index" + std::to_string(index);
    ASSERT_TRUE(MakeDirectories(cache).ok());
    ASSERT_TRUE(WriteFile(cache + "/level", level + "\n").ok());
    ASSERT_TRUE(WriteFile(cache + "/type", type + "\n").ok());
    ASSERT_TRUE(WriteFile(cache + "/size", size + "\n").ok());
  };
  EXPECT_EQ(CacheBytes(1, directory), 0);
  write(0, "1", "Data", "32K");
  write(1, "1", "Instruction", "64K");
  write(2, "2", "Unified", "1024K");
  write(3, "3", "Unified", "36M");
  write(4, "4", "Unified", "lots");
  EXPECT_EQ(CacheBytes(1, directory), 32 << 10);
  EXPECT_EQ(CacheBytes(2, directory), 1 << 20);
  EXPECT_EQ(CacheBytes(3, directory), 36 << 20);
  EXPECT_EQ(CacheBytes(4, directory), 0);
  EXPECT_EQ(CacheBytes(5, directory), 0);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace ashlar
