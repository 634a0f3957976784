// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/session.h"

#include <algorithm>
#include <cstring>

#include "runtime/api/cpu_launcher.h"
#include "runtime/api/cuda_launcher.h"
#include "runtime/api/emulated_launcher.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/cpu_features.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/extent.h"

namespace ashlar {

MemoryUse PlanMemory(const fb::ProgramT& program, int threads) {
  MemoryUse use;
  uint64_t scratch = 0;
  for (const auto& entry : program.entries) use.arena = std::max(use.arena, entry->arena_bytes);
  for (const auto& kernel : program.kernels) scratch = std::max(scratch, kernel->scratch_bytes);
  use.arena = RoundUp(use.arena, kBufferAlignment);
  use.scratch = RoundUp(scratch, kBufferAlignment) * threads;
  use.state = program.state_bytes;
  use.weights = program.weights_bytes;
  return use;
}

Session::Session(std::shared_ptr<const Program> program, const SessionOptions& options)
    : program_(std::move(program)), pool_(options.threads), profile_(options.profile) {}

absl::StatusOr<std::unique_ptr<Session>> Session::Create(std::shared_ptr<const Program> program,
                                                         const SessionOptions& options) {
  if (options.threads < 0 || options.threads > ThreadPool::kMaxThreads)
    return InvalidArgument("threads: expected 0..", ThreadPool::kMaxThreads, ", found ",
                           options.threads);
  if (options.weights && &options.weights->program() != program.get())
    return InvalidArgument("the weights were bound for another program than ", program->path());
  std::unique_ptr<Session> session(new Session(std::move(program), options));
  ASHLAR_RETURN_IF_ERROR(session->Prepare(options));
  return session;
}

absl::Status Session::Prepare(const SessionOptions& options) {
  const fb::ProgramT& metadata = program_->metadata();
  const fb::ImageT* layout = nullptr;
  std::shared_ptr<const ExecutableImage> image;
  if (options.device == "cpu") {
    ASHLAR_ASSIGN_OR_RETURN(int index, ChooseCpuImage());
    layout = metadata.images[index].get();
    code_name_ = layout->cpu;
    ASHLAR_ASSIGN_OR_RETURN(
        image, ExecutableImage::Create(program_->code().substr(layout->offset, layout->size)));
  } else if (options.device == "cuda-emulator") {
    code_name_ = "emulator";
    ASHLAR_ASSIGN_OR_RETURN(launcher_, CreateEmulatedLauncher(*program_, pool_));
  } else if (options.device != "cuda") {
    return InvalidArgument("no device '", options.device,
                           "'; there are cpu, cuda and cuda-emulator");
  }
  weights_ = options.weights;
  if (!weights_) {
    ASHLAR_ASSIGN_OR_RETURN(
        weights_, Weights::Bind(program_, options.weights_directory, pool_, options.cache));
  }

  planned_ = PlanMemory(metadata, pool_.size());
  ASHLAR_ASSIGN_OR_RETURN(memory_,
                          MemoryRegion::Allocate(planned_.peak(), "arena, scratch and state"));
  scratch_ = memory_.data() + planned_.arena;
  scratch_stride_ = planned_.scratch / pool_.size();
  state_ = scratch_ + planned_.scratch;
  if (layout)
    launcher_ =
        std::make_unique<CpuLauncher>(*layout, std::move(image), pool_, scratch_, scratch_stride_);
  SpaceBases bases;
  bases.arena = memory_.data();
  bases.weights = weights_->data();
  bases.constants = program_->constants().data();
  bases.state = state_;
  if (!launcher_) {
    code_name_ = "cuda";
    ASHLAR_ASSIGN_OR_RETURN(launcher_,
                            CreateCudaLauncher(*program_, bases, planned_.arena, options.profile));
  }
  for (const auto& entry : metadata.entries)
    entries_.push_back(std::make_unique<EntryPlan>(metadata, *entry, launcher_->Bases(bases)));
  dims_.resize(metadata.dims.size());
  next_dims_.resize(metadata.dims.size());
  return absl::OkStatus();
}

absl::StatusOr<int> Session::ChooseCpuImage() const {
  const fb::ProgramT& metadata = program_->metadata();
  if (metadata.device_images.empty()) {
    auto index = ChooseImage(metadata.images, HostFeatures());
    return index.ok() ? index : Annotate(index.status(), program_->path());
  }
  std::vector<std::string_view> archs;
  for (const auto& image : metadata.device_images) archs.push_back(image->arch);
  return FailedPrecondition(
      program_->path(), ": compiled for CUDA (", StrJoin(archs, ", "),
      "), not for a CPU; run it with --device cuda or cuda-emulator, or compile it with --target "
      "cpu");
}

absl::Status Session::Run(std::string_view name, const std::vector<Tensor>& inputs,
                          std::vector<Tensor>* outputs) {
  EntryPlan* plan = nullptr;
  for (const auto& entry : entries_)
    if (entry->entry().name == name) plan = entry.get();
  if (!plan) return program_->FindEntry(name).status();
  ASHLAR_RETURN_IF_ERROR(
      plan->inputs().Solve(inputs, memory_.data(), memory_.bytes(), &next_dims_));
  ASHLAR_RETURN_IF_ERROR(CheckLimits(plan->entry(), next_dims_));
  ASHLAR_RETURN_IF_ERROR(plan->inputs().Fill(inputs, next_dims_, memory_.data()));
  dims_.swap(next_dims_);
  ASHLAR_RETURN_IF_ERROR(plan->Run(dims_, *launcher_, profile_));
  if (outputs) SetOutputs(plan->entry(), outputs);
  return absl::OkStatus();
}

absl::Status Session::CheckLimits(const fb::EntryT& entry, const std::vector<int64_t>& dims) const {
  for (const auto& limit : entry.limits) {
    const fb::StateT& state = *program_->metadata().states[limit->state];
    const int64_t* counter = reinterpret_cast<const int64_t*>(state_ + state.offset);
    int64_t rows = Evaluate(*limit->rows, dims.data()), add = Evaluate(*limit->add, dims.data());
    int64_t most = rows > 0 ? *std::max_element(counter, counter + rows) : 0;
    int64_t sum;
    if (!CheckedAdd(most, add, &sum) || sum > limit->limit)
      return OutOfRange("entry '", entry.name, "': ", add, " more would make '", state.name, "' ",
                        most, " + ", add, ", its limit is ", limit->limit);
  }
  return absl::OkStatus();
}

void Session::SetOutputs(const fb::EntryT& entry, std::vector<Tensor>* outputs) const {
  outputs->resize(entry.outputs.size());
  for (size_t i = 0; i < outputs->size(); ++i) {
    const fb::ValueT& value = *entry.outputs[i];
    Tensor& tensor = (*outputs)[i];
    tensor.name = value.name;
    tensor.dtype = static_cast<DType>(value.dtype);
    tensor.shape.resize(value.shape.size());
    for (size_t d = 0; d < value.shape.size(); ++d)
      tensor.shape[d] = Evaluate(*value.shape[d], dims_.data());
    tensor.data = memory_.data() + value.offset;
  }
}

void Session::Reset() {
  if (planned_.state > 0) std::memset(state_, 0, planned_.state);
  launcher_->ForgetState();
}

absl::Status Session::SetCounter(std::string_view name, int64_t value) {
  std::vector<std::string_view> counters;
  for (const auto& state : program_->metadata().states) {
    if (state->dtype != fb::DType::I64) continue;
    counters.push_back(state->name);
    if (state->name != name) continue;
    int64_t* data = reinterpret_cast<int64_t*>(state_ + state->offset);
    std::fill(data, data + state->bytes / sizeof(int64_t), value);
    return absl::OkStatus();
  }
  return NotFound("no I64 state '", name, "'; there are: ", StrJoin(counters, ", "));
}

MemoryUse Session::memory() const {
  MemoryUse use = planned_;
  use.weights = weights_->bytes();
  return use;
}

void Session::ClearTimes() {
  for (const auto& entry : entries_) entry->ClearTimes();
}

}  // namespace ashlar
