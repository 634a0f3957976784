// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/cpu_launcher.h"

#include <atomic>
#include <chrono>

#include "runtime/api/tracer.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

// A number that no launch of the process has had: scratch may pass from one session to another.
int64_t NextLaunch() {
  static std::atomic<int64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

absl::Status CpuLauncher::Run(PreparedLaunch& launch, Tracer* tracer) {
  KernelFunction function = image_.Entry(layout_.entries[launch.schema->kernel]);
  launch.extents.back() = NextLaunch();
  int64_t items = 1;
  for (const auto& extent : launch.kernel->grid) items *= Evaluate(*extent, launch.extents.data());
  executor_.ParallelFor(items, [&](int64_t from, int64_t to, int worker) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = tracer ? Clock::now() : Clock::time_point();
    CallKernel(function, launch.buffers.data(), launch.extents.data(), from, to,
               scratch_ + worker * scratch_stride_);
    if (tracer) tracer->Record(worker, launch.index, to - from, start);
  });
  return absl::OkStatus();
}

}  // namespace ashlar
