// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/cpu_launcher.h"

#include <atomic>

#include "runtime/program/extent.h"

namespace ashlar {
namespace {

// A number that no launch of the process has had: scratch may pass from one session to another.
int64_t NextLaunch() {
  static std::atomic<int64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

absl::Status CpuLauncher::Run(PreparedLaunch& launch) {
  KernelFunction function = image_->Entry(layout_.entries[launch.schema->kernel]);
  launch.extents.back() = NextLaunch();
  int64_t items = 1;
  for (const auto& extent : launch.kernel->grid) items *= Evaluate(*extent, launch.extents.data());
  pool_.ParallelFor(items, [&](int64_t from, int64_t to, int worker) {
    CallKernel(function, launch.buffers.data(), launch.extents.data(), from, to,
               scratch_ + worker * scratch_stride_);
  });
  return absl::OkStatus();
}

}  // namespace ashlar
