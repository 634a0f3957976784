// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/device/emulator/launch.h"

#include <atomic>
#include <memory>
#include <mutex>

#include "runtime/base/status.h"
#include "runtime/device/emulator/block.h"

namespace ashlar::emulator {

namespace {

absl::Status CheckLaunch(const Launch& launch) {
  if (!launch.function) return InvalidArgument("kernel ", launch.kernel, " has no code");
  if (launch.threads == 0 || launch.threads > kMaxThreads || launch.threads % kWarp != 0)
    return InvalidArgument("kernel ", launch.kernel, ": ", launch.threads,
                           " threads in a block; it must be a multiple of 32, at most ",
                           kMaxThreads);
  if (launch.shared_bytes > kMaxSharedBytes)
    return InvalidArgument("kernel ", launch.kernel, ": ", launch.shared_bytes,
                           " bytes of shared memory; a block has at most ", kMaxSharedBytes);
  const uint32_t limit[3] = {0x7fffffff, 65535, 65535};
  for (int d = 0; d < 3; ++d)
    if (launch.grid[d] == 0 || launch.grid[d] > limit[d])
      return InvalidArgument("kernel ", launch.kernel, ": ", launch.grid[d],
                             " blocks in dimension ", d, " of the grid; it must be 1 to ",
                             limit[d]);
  return absl::OkStatus();
}

}  // namespace

Emulator::Emulator(Executor& pool) : pool_(pool) {}
Emulator::~Emulator() = default;

absl::Status Emulator::MakeStacks(size_t threads) {
  if (!stacks_.empty() && stacks_[0]->count() >= threads) return absl::OkStatus();
  std::vector<std::unique_ptr<FiberStacks>> stacks(pool_.size());
  for (auto& worker : stacks) {
    ASHLAR_ASSIGN_OR_RETURN(worker, FiberStacks::Create(threads));
  }
  stacks_ = std::move(stacks);
  return absl::OkStatus();
}

absl::Status Emulator::Run(const Launch& launch) {
  ASHLAR_RETURN_IF_ERROR(CheckLaunch(launch));
  ASHLAR_RETURN_IF_ERROR(MakeStacks(launch.threads));
  ASHLAR_ASSIGN_OR_RETURN(auto placed, PlacedOperands::Create(launch));

  std::vector<std::unique_ptr<Block>> blocks(pool_.size());
  std::mutex mutex;
  std::string error;
  int64_t count = int64_t{launch.grid[0]} * launch.grid[1] * launch.grid[2];
  std::atomic<int64_t> failed{count};  // the first block that failed: later ones need not run
  pool_.ParallelFor(count, [&](int64_t begin, int64_t end, int worker) {
    std::unique_ptr<Block>& block = blocks[worker];
    if (!block) block = std::make_unique<Block>(launch, *placed, *stacks_[worker]);
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
