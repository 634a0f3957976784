// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/entry_plan.h"

#include <algorithm>
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

}  // namespace

EntryPlan::EntryPlan(const fb::ProgramT& program, const fb::EntryT& entry, const SpaceBases& bases,
                     int rank)
    : entry_(entry), inputs_(program, entry, rank) {
  for (const auto& collective : entry.collectives)
    collectives_.emplace_back(*collective, rank, bases.arena);
  for (const auto& schema : entry.launches) {
    PreparedLaunch launch;
    launch.index = static_cast<int>(launches_.size());
    launch.schema = schema.get();
    launch.kernel = program.kernels[schema->kernel].get();
    for (const auto& operand : schema->operands) launch.buffers.push_back(Address(*operand, bases));
    launch.extents.resize(schema->extents.size() + 1);
    launches_.push_back(std::move(launch));
  }
  ClearTimes();
}

absl::Status EntryPlan::RunCollectives(size_t launch, const std::vector<int64_t>& dims,
                                       Launcher& launcher, Communicator* communicator) {
  for (;
       next_collective_ < collectives_.size() && collectives_[next_collective_].before() <= launch;
       ++next_collective_)
    ASHLAR_RETURN_IF_ERROR(collectives_[next_collective_].Run(dims, launcher, communicator));
  if (communicator) communicator->Tick();
  return absl::OkStatus();
}

absl::Status EntryPlan::CheckStop(size_t launch, const RunOptions& options) const {
  auto where = [&] {
    if (launch >= launches_.size()) return StrCat("entry '", entry_.name, "'");
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

absl::Status EntryPlan::Run(const std::vector<int64_t>& dims, Launcher& launcher,
                            Communicator* communicator, bool profile, const RunOptions& options) {
  using Clock = std::chrono::steady_clock;
  ASHLAR_RETURN_IF_ERROR(launcher.Begin(entry_, dims));
  next_collective_ = 0;
  for (size_t i = 0; i < launches_.size(); ++i) {
    if (i > 0) ASHLAR_RETURN_IF_ERROR(CheckStop(i, options));
    ASHLAR_RETURN_IF_ERROR(RunCollectives(i, dims, launcher, communicator));
    PreparedLaunch& launch = launches_[i];
    Clock::time_point begin;
    if (profile || options.tracer) begin = Clock::now();
    for (size_t e = 0; e < launch.schema->extents.size(); ++e)
      launch.extents[e] = Evaluate(*launch.schema->extents[e], dims.data());
    ASHLAR_RETURN_IF_ERROR(launcher.Run(launch, options.tracer));
    if (options.tracer && !launcher.traces_workers())
      options.tracer->Record(0, static_cast<int>(i), Tracer::kAllItems, begin);
    if (!profile) continue;
    double us = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
    LaunchTime& time = times_[i];
    time.min_us = time.steps == 0 ? us : std::min(time.min_us, us);
    time.total_us += us;
    ++time.steps;
  }
  ASHLAR_RETURN_IF_ERROR(RunCollectives(launches_.size(), dims, launcher, communicator));
  return launcher.End(entry_, dims);
}

}  // namespace ashlar
