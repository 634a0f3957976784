// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/entry_plan.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "runtime/api/tracer.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

void* Address(const fb::OperandT& operand, const SpaceBases& bases) {
  switch (operand.space) {
    case fb::Space::Arena:
      return bases.arena + operand.offset;
    case fb::Space::State:
      return bases.state + operand.offset;
    // The verifier has made sure that no kernel writes these.
    case fb::Space::Weights:
      return const_cast<char*>(bases.weights) + operand.offset;
    case fb::Space::Constants:
      return const_cast<char*>(bases.constants) + operand.offset;
  }
  return nullptr;
}

// A number that no launch of the process has had: scratch may pass from one session to another.
int64_t NextLaunch() {
  static std::atomic<int64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

EntryPlan::EntryPlan(const fb::ProgramT& program, const fb::EntryT& entry, const fb::ImageT& layout,
                     const ExecutableImage& image, const SpaceBases& bases)
    : entry_(entry), inputs_(program, entry) {
  for (const auto& schema : entry.launches) {
    Launch launch;
    launch.schema = schema.get();
    launch.kernel = program.kernels[schema->kernel].get();
    launch.function = image.Entry(layout.entries[schema->kernel]);
    for (const auto& operand : schema->operands) launch.buffers.push_back(Address(*operand, bases));
    launch.extents.resize(schema->extents.size() + 1);
    launches_.push_back(std::move(launch));
  }
  ClearTimes();
}

absl::Status EntryPlan::CheckStop(size_t launch, const RunOptions& options) const {
  auto where = [&] {
    return StrCat("entry '", entry_.name, "', before launch ", launch + 1, " of ", launches_.size(),
                  ", ", launches_[launch].schema->path);
  };
  if (options.cancellation && options.cancellation->cancelled())
    return WithCode(ErrorCode::kCancelled, absl::CancelledError(StrCat("cancelled: ", where())));
  if (options.deadline && std::chrono::steady_clock::now() >= *options.deadline)
    return WithCode(ErrorCode::kDeadlineExceeded,
                    absl::DeadlineExceededError(StrCat("the deadline passed: ", where())));
  return absl::OkStatus();
}

absl::Status EntryPlan::Run(const std::vector<int64_t>& dims, Executor& executor, char* scratch,
                            uint64_t scratch_stride, bool profile, const RunOptions& options) {
  using Clock = std::chrono::steady_clock;
  for (size_t i = 0; i < launches_.size(); ++i) {
    ASHLAR_RETURN_IF_ERROR(CheckStop(i, options));
    Launch& launch = launches_[i];
    Clock::time_point begin;
    if (profile) begin = Clock::now();
    for (size_t e = 0; e < launch.schema->extents.size(); ++e)
      launch.extents[e] = Evaluate(*launch.schema->extents[e], dims.data());
    launch.extents.back() = NextLaunch();
    int64_t items = 1;
    for (const auto& extent : launch.kernel->grid)
      items *= Evaluate(*extent, launch.extents.data());
    executor.ParallelFor(items, [&](int64_t from, int64_t to, int worker) {
      const Clock::time_point start = options.tracer ? Clock::now() : Clock::time_point();
      CallKernel(launch.function, launch.buffers.data(), launch.extents.data(), from, to,
                 scratch + worker * scratch_stride);
      if (options.tracer) options.tracer->Record(worker, static_cast<int>(i), to - from, start);
    });
    if (!profile) continue;
    double us = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
    LaunchTime& time = times_[i];
    time.min_us = time.steps == 0 ? us : std::min(time.min_us, us);
    time.total_us += us;
    ++time.steps;
  }
  return absl::OkStatus();
}

}  // namespace ashlar
