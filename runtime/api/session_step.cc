// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A step of a session: what is checked and agreed on before it, and its microbatches, each through
// the stages of this rank.
#include <algorithm>

#include "runtime/api/session.h"
#include "runtime/api/tracer.h"
#include "runtime/base/error_code.h"
#include "runtime/base/hash.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/program/cut.h"
#include "runtime/program/extent.h"

namespace ashlar {

EntryPlan* Session::FindPlan(std::string_view entry) const {
  for (const auto& plan : entries_)
    if (plan->entry().name == entry) return plan.get();
  return nullptr;
}

absl::Status Session::Run(std::string_view name, const std::vector<Tensor>& inputs,
                          std::vector<Tensor>* outputs, const RunOptions& options) {
  EntryPlan* plan = FindPlan(name);
  if (!plan) return program().FindEntry(name).status();
  if (launcher_) ASHLAR_RETURN_IF_ERROR(launcher_->Failure());
  // Several ranks do not go on after an error, whatever is called; theirs is the error then.
  if (interrupted_ && !communicator_)
    return WithCode(ErrorCode::kInterrupted,
                    FailedPrecondition("the last step was stopped halfway: call Reset, or "
                                       "SetCounter with a number of tokens that were complete"));
  if (!crew_) return RunRank(*plan, inputs, outputs, options);
  RunOptions quiet = options;
  quiet.tracer = nullptr;
  return crew_->Run([&] { return RunRank(*plan, inputs, outputs, options); },
                    [&](int peer) { return peers_[peer]->Run(name, inputs, nullptr, quiet); });
}

absl::Status Session::Prepare(EntryPlan& plan, const std::vector<Tensor>& inputs,
                              const RunOptions& options) {
  ASHLAR_RETURN_IF_ERROR(plan.inputs().Solve(inputs, memory_.data(), memory_.bytes(), &next_dims_));
  const size_t parts = plan.microbatches().Split(next_dims_);
  for (size_t part = 0; part < parts; ++part)
    ASHLAR_RETURN_IF_ERROR(PreparePart(plan, inputs, part));
  for (const auto& stage : earlier_) {
    EntryPlan& its_plan = *stage->FindPlan(plan.entry().name);
    ASHLAR_RETURN_IF_ERROR(stage->Prepare(its_plan, inputs, options));
    if (its_plan.microbatches().size() != parts)  // no compiler's work
      return FailedPrecondition(program().path(), ": stages of one rank split entry '",
                                plan.entry().name, "' into ", its_plan.microbatches().size(),
                                " and ", parts, " microbatches");
  }
  return plan.CheckStop(0, options);
}

// Afterwards the inputs of the microbatch are in the arena, and its extents in part_dims_.
absl::Status Session::PreparePart(EntryPlan& plan, const std::vector<Tensor>& whole, size_t part) {
  Microbatches& parts = plan.microbatches();
  InputValues& inputs = plan.inputs();
  const bool is_whole = parts.size() == 1;
  if (is_whole)
    part_dims_ = next_dims_;
  else
    ASHLAR_RETURN_IF_ERROR(
        inputs.Solve(parts.Inputs(part, whole), memory_.data(), memory_.bytes(), &part_dims_));
  ASHLAR_RETURN_IF_ERROR(CheckLimits(plan.entry(), part_dims_, parts.first_row(part)));
  return is_whole ? inputs.Fill(whole, part_dims_, memory_.data())
                  : inputs.FillPart(whole, parts, part, part_dims_, memory_.data());
}

absl::Status Session::Agree(const fb::EntryT& entry, const absl::Status& prepared) {
  if (!communicator_) return prepared;
  // The largest of each: 1 where a rank refuses, and of a step's hash and its complement, which are
  // each other's only where all ranks mean the same step.
  uint64_t hash = Hash64(entry.name);
  const auto& dims = program().metadata().dims;
  for (size_t i = 0; i < dims.size() && prepared.ok(); ++i)
    if (!dims[i]->whole)
      hash = Hash64({reinterpret_cast<const char*>(&next_dims_[i]), sizeof(next_dims_[i])}, hash);
  const int64_t step = static_cast<int64_t>(hash);
  int64_t largest[3] = {prepared.ok() ? 0 : 1, step, ~step};
  Collective call;
  call.dtype = DType::kI64;
  call.reduction = Reduction::kMax;
  call.group = &everyone_;
  call.input = call.output = largest;
  call.count = 3;
  call.where = "the beginning of a step";
  // Processes bind their weights each by itself, which may take one much longer than another.
  if (!has_met_ && communicator_->name() != "loopback") call.deadline = std::chrono::minutes(10);
  has_met_ = true;
  ASHLAR_RETURN_IF_ERROR(communicator_->Run(call));
  if (!prepared.ok()) return prepared;
  if (largest[0] != 0) return FailedPrecondition("another rank has refused the step");
  if (largest[1] != ~largest[2])
    return FailedPrecondition("ranks are about to make different steps: rank ", bound_->rank(),
                              " entry '", entry.name,
                              "', another one another entry, or inputs of other shapes");
  return absl::OkStatus();
}

// Of the ranks that are about to make their first step.
absl::Status Session::JoinDevices() {
  if (!communicator_ || device_communicator_) return absl::OkStatus();
  auto joined = launcher_->Join(communicator_);
  if (!joined.ok()) return joined.status();
  device_communicator_ = *std::move(joined);
  return absl::OkStatus();
}

absl::Status Session::RunRank(EntryPlan& plan, const std::vector<Tensor>& inputs,
                              std::vector<Tensor>* outputs, const RunOptions& options) {
  ASHLAR_RETURN_IF_ERROR(Agree(plan.entry(), Prepare(plan, inputs, options)));
  ASHLAR_RETURN_IF_ERROR(JoinDevices());
  dims_.swap(next_dims_);
  interrupted_ = has_state();  // until all of the step is done
  absl::Status status = RunParts(plan, inputs, options);
  if (status.ok()) status = CheckWeights();
  if (communicator_ && !status.ok())
    device_communicator_->Fail(Annotate(status, StrCat("rank ", bound_->rank())));
  ASHLAR_RETURN_IF_ERROR(status);
  if (outputs) SetOutputs(plan, outputs);
  interrupted_ = false;
  return absl::OkStatus();
}

// A file that was cut while it was mapped has given zeros.
absl::Status Session::CheckWeights() const {
  for (const auto& stage : earlier_) ASHLAR_RETURN_IF_ERROR(stage->CheckWeights());
  return weights().CheckNotCut();
}

absl::Status Session::RunParts(EntryPlan& plan, const std::vector<Tensor>& inputs,
                               const RunOptions& options) {
  const size_t parts = plan.microbatches().size();
  last_parts_ = parts;
  device_ms_ = 0;
  std::vector<std::pair<Session*, EntryPlan*>>& stages = rank_stages_;
  stages.clear();
  for (const auto& stage : earlier_) {
    stage->device_communicator_ = device_communicator_;
    stage->dims_ = dims_;
    stages.emplace_back(stage.get(), stage->FindPlan(plan.entry().name));
  }
  stages.emplace_back(this, &plan);
  // As many microbatches as there are ranks one behind the other go through a stage, and then
  // through the next one, which by then has the first of them (compiler/Distribution/Schedule).
  const size_t group = stages.size() > 1 ? static_cast<size_t>(program().places()) : parts;
  for (size_t first = 0; first < parts; first += group)
    for (const auto& [stage, its_plan] : stages)
      for (size_t part = first; part < std::min(parts, first + group); ++part) {
        if (part > 0) ASHLAR_RETURN_IF_ERROR(plan.CheckStop(0, options));
        ASHLAR_RETURN_IF_ERROR(stage->RunPart(*its_plan, inputs, part, options));
        device_ms_ += stage->launcher_->device_ms();
      }
  for (const auto& [stage, its_plan] : stages) ASHLAR_RETURN_IF_ERROR(its_plan->FinishSends());
  return parts > 1 ? plan.DeliverOutputs(dims_, joined_outputs_, communicator_.get())
                   : absl::OkStatus();
}

absl::Status Session::RunPart(EntryPlan& plan, const std::vector<Tensor>& inputs, size_t part,
                              const RunOptions& options) {
  const bool is_whole = plan.microbatches().size() == 1;
  ASHLAR_RETURN_IF_ERROR(plan.FinishSends());
  if (!is_whole) ASHLAR_RETURN_IF_ERROR(PreparePart(plan, inputs, part));
  if (options.tracer) options.tracer->BeginStep(plan.entry(), part_dims_);
  absl::Status status = plan.Run(part_dims_, plan.microbatches().first_row(part), *launcher_,
                                 device_communicator_.get(), profile_, options);
  if (options.tracer) options.tracer->EndStep();
  ASHLAR_RETURN_IF_ERROR(status);
  if (!is_whole) plan.CollectOutputs(part, dims_, memory_.data(), joined_outputs_);
  return absl::OkStatus();
}

absl::Status Session::CheckLimits(const fb::EntryT& entry, const std::vector<int64_t>& dims,
                                  int64_t first_row) const {
  for (const auto& limit : entry.limits) {
    const fb::StateT& state = *program().metadata().states[limit->state];
    const int64_t* counter = reinterpret_cast<const int64_t*>(state_ + state.offset) + first_row;
    int64_t rows = Evaluate(*limit->rows, dims.data()), add = Evaluate(*limit->add, dims.data());
    int64_t most = rows > 0 ? *std::max_element(counter, counter + rows) : 0;
    int64_t sum;
    if (!CheckedAdd(most, add, &sum) || sum > limit->limit)
      return WithCode(
          ErrorCode::kContextFull,
          OutOfRange("entry '", entry.name, "': ", add, " more would make '", state.name, "' ",
                     most, " + ", add, ", its limit is ", limit->limit));
  }
  return absl::OkStatus();
}

void Session::SetOutputs(const EntryPlan& plan, std::vector<Tensor>* outputs) const {
  const fb::EntryT& entry = plan.entry();
  outputs->resize(entry.outputs.size());
  for (size_t i = 0; i < outputs->size(); ++i) {
    const fb::ValueT& value = *entry.outputs[i];
    Tensor& tensor = (*outputs)[i];
    tensor.name = value.name;
    tensor.dtype = static_cast<DType>(value.dtype);
    tensor.shape.resize(value.shape.size());
    for (size_t d = 0; d < value.shape.size(); ++d)
      tensor.shape[d] = Evaluate(*value.shape[d], dims_.data());
    tensor.data =
        last_parts_ > 1 ? joined_outputs_ + plan.output_offset(i) : memory_.data() + value.offset;
  }
}

}  // namespace ashlar
