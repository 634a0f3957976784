// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/device/emulator/launch.h"

#include <atomic>
#include <memory>
#include <mutex>

#include "runtime/base/status.h"
#include "runtime/device/emulator/block.h"

namespace ashlar::emulator {

absl::Status Run(const Launch& launch, ThreadPool& pool) {
  if (!launch.function) return InvalidArgument("kernel ", launch.kernel, " has no code");
  if (launch.threads == 0 || launch.threads > kMaxThreads || launch.threads % kWarp != 0)
    return InvalidArgument("kernel ", launch.kernel, ": ", launch.threads,
                           " threads in a block; it must be a multiple of 32, at most ",
                           kMaxThreads);
  if (launch.shared_bytes > kMaxSharedBytes)
    return InvalidArgument("kernel ", launch.kernel, ": ", launch.shared_bytes,
                           " bytes of shared memory; a block has at most ", kMaxSharedBytes);
  ASHLAR_ASSIGN_OR_RETURN(auto placed, PlacedOperands::Create(launch));

  // Made here, where it can fail; blocks come into being with the worker's first item.
  std::vector<std::unique_ptr<FiberStacks>> stacks(pool.size());
  for (auto& worker : stacks) {
    ASHLAR_ASSIGN_OR_RETURN(worker, FiberStacks::Create(launch.threads));
  }
  std::vector<std::unique_ptr<Block>> blocks(pool.size());
  std::mutex mutex;
  std::string error;
  int64_t count = int64_t{launch.grid[0]} * launch.grid[1] * launch.grid[2];
  std::atomic<int64_t> failed{count};  // the first block that failed: later ones need not run
  pool.ParallelFor(count, [&](int64_t begin, int64_t end, int worker) {
    std::unique_ptr<Block>& block = blocks[worker];
    if (!block) block = std::make_unique<Block>(launch, *placed, *stacks[worker]);
    for (int64_t i = begin; i < end && i < failed.load(std::memory_order_relaxed); ++i) {
      std::string message = block->Run(i);
      if (message.empty()) continue;
      std::lock_guard<std::mutex> lock(mutex);
      if (i < failed) failed = i, error = message;
    }
  });
  if (failed < count) return FailedPrecondition(error);
  placed->CopyBack();
  return absl::OkStatus();
}

}  // namespace ashlar::emulator
