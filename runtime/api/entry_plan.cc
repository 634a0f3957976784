// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/entry_plan.h"

#include <algorithm>
#include <chrono>

#include "runtime/api/tracer.h"
#include "runtime/base/error_code.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/extent.h"
#include "runtime/program/states.h"

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

// How many bytes each sequence has of an operand that is a state; 0 for others.
uint64_t RowBytes(const fb::ProgramT& program, const fb::OperandT& operand) {
  if (operand.space != fb::Space::State) return 0;
  const auto rows = static_cast<uint64_t>(SequenceRoom(program));
  for (const auto& state : program.states)
    if (state->offset == operand.offset && rows > 0) return state->bytes / rows;
  return 0;
}

// The output that a delivery sends or receives.
size_t DeliveredOutput(const fb::EntryT& entry, const fb::CollectiveT& delivery) {
  const fb::OperandT& operand = delivery.input ? *delivery.input : *delivery.output;
  size_t output = 0;
  while (entry.outputs[output]->offset != operand.offset) ++output;
  return output;
}

}  // namespace

EntryPlan::EntryPlan(const fb::ProgramT& program, const fb::EntryT& entry, const SpaceBases& bases,
                     int rank)
    : entry_(entry), inputs_(program, entry, rank), microbatches_(program, entry, rank) {
  for (const auto& collective : entry.collectives)
    collectives_.emplace_back(*collective, rank, bases.arena);
  for (const auto& schema : entry.launches) {
    PreparedLaunch launch;
    launch.index = static_cast<int>(launches_.size());
    launch.schema = schema.get();
    launch.kernel = program.kernels[schema->kernel].get();
    for (const auto& operand : schema->operands) {
      if (const uint64_t row = RowBytes(program, *operand); row > 0 && entry.microbatches > 1)
        state_operands_.push_back({launches_.size(), launch.buffers.size(), row});
      launch.buffers.push_back(Address(*operand, bases));
      launch.bytes.push_back(operand->bytes);
    }
    launch.extents.resize(schema->extents.size() + 1);
    launches_.push_back(std::move(launch));
  }
  uint64_t offset = 0;
  for (const auto& output : entry.outputs) {
    outputs_.push_back({offset});
    for (size_t i = 0; i + 1 < outputs_.size(); ++i)  // a value that is given twice lies there once
      if (entry.outputs[i]->offset == output->offset && entry.outputs[i]->bytes == output->bytes)
        outputs_.back() = outputs_[i];
    offset += RoundUp(output->bytes, kBufferAlignment);
  }
  for (size_t i = entry.collectives.size() - entry.deliveries; i < entry.collectives.size(); ++i) {
    delivered_.push_back(DeliveredOutput(entry, *entry.collectives[i]));
    if (entry.collectives[i]->op != fb::CollectiveOp::Recv) continue;
    for (Output& output : outputs_)
      if (output.offset == outputs_[delivered_.back()].offset) output.is_made = false;
  }
  ClearTimes();
}

void EntryPlan::SetFirstRow(int64_t first_row) {
  for (const StateOperand& at : state_operands_) {
    PreparedLaunch& launch = launches_[at.launch];
    const int64_t bytes = (first_row - first_row_) * static_cast<int64_t>(at.row_bytes);
    launch.buffers[at.operand] = static_cast<char*>(launch.buffers[at.operand]) + bytes;
    launch.bytes[at.operand] -= bytes;
  }
  first_row_ = first_row;
}

void EntryPlan::CollectOutputs(size_t microbatch, const std::vector<int64_t>& dims,
                               const char* arena, char* block) const {
  for (size_t i = 0; i < outputs_.size(); ++i)
    if (outputs_[i].is_made)
      microbatches_.Collect(microbatch, i, dims, arena + entry_.outputs[i]->offset,
                            block + outputs_[i].offset);
}

absl::Status EntryPlan::DeliverOutputs(const std::vector<int64_t>& dims, char* block,
                                       Communicator* communicator) {
  for (size_t i = 0; i < delivered_.size(); ++i)
    ASHLAR_RETURN_IF_ERROR(collectives_[collectives_.size() - delivered_.size() + i].Deliver(
        dims, block + outputs_[delivered_[i]].offset, *communicator));
  return absl::OkStatus();
}

absl::Status EntryPlan::RunCollectives(size_t launch, const std::vector<int64_t>& dims,
                                       Launcher& launcher, Communicator* communicator) {
  for (; next_collective_ < end_collective_; ++next_collective_) {
    CollectiveStep& next = collectives_[next_collective_];
    if (next.schema().before > launch) break;
    ASHLAR_RETURN_IF_ERROR(next.schema().op == fb::CollectiveOp::Wait
                               ? collectives_[next.schema().ends].End()
                               : next.Run(dims, launcher, communicator));
    if (next.schema().op == fb::CollectiveOp::Send && next.schema().starts)
      sends_.push_back(next_collective_);
  }
  if (communicator) communicator->Tick();
  return absl::OkStatus();
}

absl::Status EntryPlan::FinishSends() {
  for (size_t i : sends_) ASHLAR_RETURN_IF_ERROR(collectives_[i].End());
  sends_.clear();
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

absl::Status EntryPlan::Run(const std::vector<int64_t>& dims, int64_t first_row, Launcher& launcher,
                            Communicator* communicator, bool profile, const RunOptions& options) {
  using Clock = std::chrono::steady_clock;
  SetFirstRow(first_row);
  // Without states all microbatches of the same extents are the same launches.
  ASHLAR_RETURN_IF_ERROR(launcher.Begin(entry_, dims, state_operands_.empty() ? 0 : first_row));
  next_collective_ = 0;
  end_collective_ = collectives_.size() - (microbatches_.size() > 1 ? delivered_.size() : 0);
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
