// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/machine_peaks.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "runtime/device/cpu/cpu_cores.h"
#include "runtime/device/cpu/cpu_features.h"

namespace ashlar {
namespace {

constexpr int64_t kBlock = 4 << 20;  // bytes of a work item at the most

std::atomic<int64_t> sink;  // keeps results alive

// Returns the seconds that the fastest call took within `milliseconds`, of three at least.
template <typename F>
double BestSeconds(int milliseconds, F&& f) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  auto end = Clock::now() + std::chrono::milliseconds(milliseconds);
  for (int i = 0; i < 3 || Clock::now() < end; ++i) {
    auto begin = Clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

// Returns what of `features` this CPU lacks, separated by commas.
std::string Missing(const std::vector<std::string>& features) {
  std::string missing;
  for (const std::string& feature : features)
    if (!HostFeatures().count(feature)) missing += (missing.empty() ? "" : ", ") + feature;
  return missing;
}

double MeasureCompute(Executor& pool, const ComputeKernel& kernel, int milliseconds) {
  int64_t items = pool.size();
  double seconds = BestSeconds(milliseconds, [&] {
    pool.ParallelFor(items, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i)
        for (int repeat = 0; repeat < 8; ++repeat)
          sink.fetch_add(kernel.run(), std::memory_order_relaxed);
    });
  });
  return static_cast<double>(items) * 8 * kernel.operations / seconds * 1e-9;
}

// Pages that are there, in huge ones where the system gives them, each near a thread of the pool
// that will read it.
class Buffer {
 public:
  Buffer(int64_t bytes, Executor& pool) : bytes_(bytes) {
    if (bytes == 0) return;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    madvise(memory, bytes, MADV_HUGEPAGE);
    data_ = static_cast<char*>(memory);
    pool.ParallelFor((bytes + kBlock - 1) / kBlock, [&](int64_t begin, int64_t end, int) {
      std::memset(data_ + begin * kBlock, 1, std::min(end * kBlock, bytes) - begin * kBlock);
    });
  }
  ~Buffer() {
    if (data_) munmap(data_, bytes_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  char* data() { return data_; }

 private:
  int64_t bytes_;
  char* data_ = nullptr;
};

double MeasureMemory(Executor& pool, const MemoryKernel& kernel, const char* from, char* to,
                     int64_t bytes, int milliseconds) {
  // Every thread gets a block, however many there are.
  int64_t block =
      std::clamp(bytes / pool.size() / kMemoryGranule * kMemoryGranule, kMemoryGranule, kBlock);
  int64_t blocks = bytes / block;
  double seconds = BestSeconds(milliseconds, [&] {
    pool.ParallelFor(blocks, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i)
        sink.fetch_add(kernel.run(from + i * block, to ? to + i * block : nullptr, block),
                       std::memory_order_relaxed);
    });
  });
  double passes = kernel.kind == "copy" ? 2 : 1;
  return passes * static_cast<double>(blocks * block) / seconds * 1e-9;
}

int64_t BufferBytes() {
  int64_t cache = LastLevelCacheBytes();
  return std::min(std::max(4 * cache, int64_t{256} << 20), AvailableMemory() / 8);
}

// Returns the entry of a kind, made when there is none.
Peak& PeakOf(std::vector<Peak>& peaks, const std::string& kind, const char* unit) {
  for (Peak& peak : peaks)
    if (peak.kind == kind) return peak;
  peaks.push_back({kind, unit, "", 0, 0, ""});
  return peaks.back();
}

template <typename Measure>
void Enter(Peak& peak, const std::string& instruction, Executor& one, Executor& all,
           Measure&& measure) {
  double all_cores = measure(all), one_core = &one == &all ? all_cores : measure(one);
  peak.reason.clear();
  peak.one_core = std::max(peak.one_core, one_core);
  if (all_cores <= peak.all_cores) return;
  peak.all_cores = all_cores;
  peak.instruction = instruction;
}

// True when the CPU has the features; else the kind's reason says what is missing, as long as it
// has no figure.
bool CanRun(Peak& peak, const std::vector<std::string>& features) {
  std::string missing = Missing(features);
  if (missing.empty()) return true;
  if (peak.all_cores == 0)
    peak.reason += (peak.reason.empty() ? "the CPU lacks " : "; or ") + missing;
  return false;
}

}  // namespace

std::vector<Peak> MeasureMachinePeaks(Executor& one, Executor& all,
                                      const std::set<std::string>& kinds, int milliseconds,
                                      int64_t bytes) {
  std::vector<Peak> peaks;
  auto wanted = [&](const std::string& kind) { return kinds.empty() || kinds.count(kind); };
  for (const ComputeKernel& kernel : ComputeKernels()) {
    if (!wanted(kernel.kind)) continue;
    Peak& peak = PeakOf(peaks, kernel.kind,
                        kernel.kind == "f32_exp"            ? "Gexp/s"
                        : kernel.kind.rfind("int8", 0) == 0 ? "GOP/s"
                                                            : "GFLOP/s");
    if (CanRun(peak, kernel.features))
      Enter(peak, kernel.instruction, one, all,
            [&](Executor& pool) { return MeasureCompute(pool, kernel, milliseconds); });
  }
  if (!wanted("read") && !wanted("copy")) return peaks;
  bytes = std::max(bytes == 0 ? BufferBytes() : bytes, kLeastPeakBytes);
  Buffer from(bytes, all), to(wanted("copy") ? bytes : 0, all);
  for (const MemoryKernel& kernel : MemoryKernels()) {
    if (!wanted(kernel.kind)) continue;
    Peak& peak = PeakOf(peaks, kernel.kind, "GB/s");
    if (!from.data() || (kernel.kind == "copy" && !to.data()))
      peak.reason = "two buffers of " + std::to_string(bytes) + " bytes could not be had";
    else if (CanRun(peak, kernel.features))
      Enter(peak, kernel.instruction, one, all, [&](Executor& pool) {
        return MeasureMemory(pool, kernel, from.data(), to.data(), bytes, milliseconds);
      });
  }
  return peaks;
}

}  // namespace ashlar
