// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/session.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "runtime/api/cpu_launcher.h"
#include "runtime/api/cuda_launcher.h"
#include "runtime/api/emulated_launcher.h"
#include "runtime/api/tracer.h"
#include "runtime/base/error_code.h"
#include "runtime/base/hash.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/communicator/loopback.h"
#include "runtime/device/cpu/cpu_cores.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/cut.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

// Those of `threads`, or of the machine's cores, for one of several ranks of a process.
int ThreadsOfRank(int threads, int ranks) {
  if (ranks == 1) return threads;
  return std::max(1, (threads > 0 ? threads : AvailableCores()) / ranks);
}

// Of the largest entry.
uint64_t ArenaBytes(const fb::ProgramT& program) {
  uint64_t bytes = 0;
  for (const auto& entry : program.entries) bytes = std::max(bytes, entry->arena_bytes);
  return RoundUp(bytes, kBufferAlignment);
}

// What the outputs of a step in several microbatches take behind the arena.
uint64_t JoinedOutputBytes(const fb::ProgramT& program) {
  uint64_t most = 0;
  for (const auto& entry : program.entries) {
    uint64_t bytes = 0;
    for (const auto& output : entry->outputs) bytes += RoundUp(output->bytes, kBufferAlignment);
    if (entry->microbatches > 1) most = std::max(most, bytes);
  }
  return most;
}

}  // namespace

MemoryUse PlanMemory(const fb::ProgramT& program, int threads) {
  MemoryUse use;
  uint64_t scratch = 0;
  for (const auto& kernel : program.kernels) scratch = std::max(scratch, kernel->scratch_bytes);
  use.arena = ArenaBytes(program) + JoinedOutputBytes(program);
  use.scratch = RoundUp(scratch, kBufferAlignment) * threads;
  use.state = program.state_bytes;
  use.weights = program.weights_bytes;
  return use;
}

Session::Session(std::shared_ptr<const BoundProgram> program, std::shared_ptr<Executor> executor,
                 const SessionOptions& options)
    : bound_(std::move(program)),
      executor_(std::move(executor)),
      profile_(options.profile),
      memory_pool_(options.memory_pool) {}

Session::~Session() {
  // Devices leave each other together.
  if (crew_ && device_communicator_ != communicator_) {
    auto leave = [](Session& rank) {
      rank.device_communicator_ = nullptr;
      rank.launcher_ = nullptr;
      return absl::OkStatus();
    };
    crew_->Run([&] { return leave(*this); }, [&](int peer) { return leave(*peers_[peer]); })
        .IgnoreError();
  }
  if (memory_pool_) memory_pool_->Return(std::move(memory_));
}

absl::StatusOr<std::unique_ptr<Session>> Session::Create(
    std::shared_ptr<const BoundProgram> program, const SessionOptions& options) {
  if (options.threads < 0 || options.threads > ThreadPool::kMaxThreads)
    return InvalidArgument("threads: expected 0..", ThreadPool::kMaxThreads, ", found ",
                           options.threads);
  if (options.buffer && options.memory_pool)
    return InvalidArgument("a session takes a buffer or a memory pool, not both");
  std::shared_ptr<Executor> executor = options.executor;
  const int ranks = 1 + static_cast<int>(program->peers().size());
  if (ranks > 1) executor = nullptr;  // each has threads of its own, or they would wait in turn
  if (!executor) executor = std::make_shared<ThreadPool>(ThreadsOfRank(options.threads, ranks));
  std::unique_ptr<Session> session(new Session(std::move(program), std::move(executor), options));
  ASHLAR_RETURN_IF_ERROR(session->TakeMemory(options));
  ASHLAR_RETURN_IF_ERROR(session->JoinRanks(options));
  ASHLAR_RETURN_IF_ERROR(session->MakePlans(options.gpu));
  return session;
}

absl::Status Session::JoinRanks(const SessionOptions& options) {
  const int ranks = RankCount(program().metadata());
  communicator_ = options.communicator;
  for (int rank = 0; rank < ranks; ++rank) everyone_.push_back(rank);
  if (communicator_ && (communicator_->size() != ranks || communicator_->rank() != bound_->rank()))
    return InvalidArgument(program().path(), " is for ", ranks, " ranks and bound for rank ",
                           bound_->rank(), ", found rank ", communicator_->rank(), " of ",
                           communicator_->size());
  if (ranks == 1) communicator_ = nullptr;
  if (ranks == 1 || communicator_) return absl::OkStatus();
  if (bound_->peers().empty())
    return FailedPrecondition(program().path(), " is for ", ranks, " ranks, of which rank ",
                              bound_->rank(), " alone is bound: a session needs a communicator");
  return AddPeers(options);
}

absl::Status Session::AddPeers(const SessionOptions& options) {
  auto ends = MakeLoopback(static_cast<int>(everyone_.size()),
                           options.deadline.count() > 0 ? options.deadline : kRankDeadline);
  SessionOptions own = options;
  own.buffer = nullptr;  // the caller's is rank 0's
  own.executor = nullptr;
  own.threads = ThreadsOfRank(options.threads, static_cast<int>(ends.size()));
  for (size_t i = 0; i < bound_->peers().size(); ++i) {
    own.communicator = std::move(ends[i + 1]);
    own.gpu = static_cast<int>(i + 1);
    ASHLAR_ASSIGN_OR_RETURN(auto peer, Create(bound_->peers()[i], own));
    peers_.push_back(std::move(peer));
  }
  communicator_ = std::move(ends[0]);
  ASHLAR_ASSIGN_OR_RETURN(crew_, Crew::Create(static_cast<int>(peers_.size())));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Session>> Session::Create(std::shared_ptr<const Program> program,
                                                         const SessionOptions& options,
                                                         BindOptions bind) {
  if (options.threads < 0 || options.threads > ThreadPool::kMaxThreads)
    return InvalidArgument("threads: expected 0..", ThreadPool::kMaxThreads, ", found ",
                           options.threads);
  SessionOptions shared = options;
  if (!shared.executor) shared.executor = std::make_shared<ThreadPool>(options.threads);
  bind.executor = shared.executor;
  ASHLAR_ASSIGN_OR_RETURN(auto bound, BoundProgram::Bind(std::move(program), bind));
  return Create(std::move(bound), shared);
}

absl::Status Session::TakeMemory(const SessionOptions& options) {
  const int workers = executor_->size();
  planned_ = PlanMemory(program().metadata(), workers);
  const uint64_t bytes = planned_.peak();
  bool zero = true;
  if (options.buffer) {
    if (reinterpret_cast<uintptr_t>(options.buffer) % kBufferAlignment != 0 ||
        options.buffer_bytes < bytes)
      return WithCode(
          ErrorCode::kBadBuffer,
          InvalidArgument(program().path(), " takes ", bytes, " bytes at a multiple of ",
                          kBufferAlignment, " for ", workers, " threads, found ",
                          options.buffer_bytes, " at ", options.buffer));
    memory_ = MemoryRegion::View(options.buffer, bytes);
    zero = false;
  } else if (memory_pool_) {
    auto block = memory_pool_->Take(bytes, "a session's arena, scratch and state");
    if (!block.ok()) return Annotate(block.status(), program().path());
    memory_ = std::move(block->region);
    zero = block->zero;
  } else {
    ASHLAR_ASSIGN_OR_RETURN(memory_, MemoryRegion::Allocate(bytes, "arena, scratch and state"));
  }
  joined_outputs_ = memory_.data() + ArenaBytes(program().metadata());
  scratch_ = memory_.data() + planned_.arena;
  scratch_stride_ = planned_.scratch / workers;
  state_ = scratch_ + planned_.scratch;
  if (!zero) {
    for (int worker = 0; worker < workers && scratch_stride_ > 0; ++worker)
      std::memset(scratch_ + worker * scratch_stride_, 0, kBufferAlignment);  // see artifact.fbs
    Reset();
  }
  return absl::OkStatus();
}

absl::Status Session::MakePlans(int gpu) {
  const fb::ProgramT& metadata = program().metadata();
  SpaceBases bases;
  bases.arena = memory_.data();
  bases.weights = weights().data();
  bases.constants = program().constants().data();
  bases.state = state_;
  if (bound_->device() == "cpu") {
    launcher_ = std::make_unique<CpuLauncher>(bound_->layout(), bound_->image(), *executor_,
                                              scratch_, scratch_stride_);
  } else if (bound_->device() == "cuda") {
    auto launcher =
        CreateCudaLauncher(program(), bases, ArenaBytes(metadata), profile_, std::max(gpu, 0));
    if (!launcher.ok() && communicator_)
      return Annotate(launcher.status(), StrCat("rank ", bound_->rank(), " of ", everyone_.size(),
                                                ", each of which takes a GPU of its host"));
    ASHLAR_RETURN_IF_ERROR(launcher.status());
    launcher_ = *std::move(launcher);
  } else {
    ASHLAR_ASSIGN_OR_RETURN(launcher_, CreateEmulatedLauncher(program(), *executor_));
  }
  for (const auto& entry : metadata.entries)
    entries_.push_back(
        std::make_unique<EntryPlan>(metadata, *entry, launcher_->Bases(bases), bound_->rank()));
  dims_.resize(metadata.dims.size());
  next_dims_.resize(metadata.dims.size());
  part_dims_.resize(metadata.dims.size());
  return absl::OkStatus();
}

absl::Status Session::Run(std::string_view name, const std::vector<Tensor>& inputs,
                          std::vector<Tensor>* outputs, const RunOptions& options) {
  EntryPlan* plan = nullptr;
  for (const auto& entry : entries_)
    if (entry->entry().name == name) plan = entry.get();
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
  interrupted_ = planned_.state > 0;  // until all of the step is done
  absl::Status status = RunParts(plan, inputs, options);
  if (communicator_ && !status.ok())
    device_communicator_->Fail(Annotate(status, StrCat("rank ", bound_->rank())));
  ASHLAR_RETURN_IF_ERROR(status);
  ASHLAR_RETURN_IF_ERROR(weights().CheckNotCut());
  if (outputs) SetOutputs(plan, outputs);
  interrupted_ = false;
  return absl::OkStatus();
}

absl::Status Session::RunParts(EntryPlan& plan, const std::vector<Tensor>& inputs,
                               const RunOptions& options) {
  const size_t parts = plan.microbatches().size();
  last_parts_ = parts;
  device_ms_ = 0;
  for (size_t part = 0; part < parts; ++part) {
    if (part > 0) ASHLAR_RETURN_IF_ERROR(plan.CheckStop(0, options));
    if (parts > 1) ASHLAR_RETURN_IF_ERROR(PreparePart(plan, inputs, part));
    if (options.tracer) options.tracer->BeginStep(plan.entry(), part_dims_);
    absl::Status status = plan.Run(part_dims_, plan.microbatches().first_row(part), *launcher_,
                                   device_communicator_.get(), profile_, options);
    if (options.tracer) options.tracer->EndStep();
    ASHLAR_RETURN_IF_ERROR(status);
    device_ms_ += launcher_->device_ms();
    if (parts > 1) plan.CollectOutputs(part, dims_, memory_.data(), joined_outputs_);
  }
  return parts > 1 ? plan.DeliverOutputs(dims_, joined_outputs_, communicator_.get())
                   : absl::OkStatus();
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

void Session::Reset() {
  for (const auto& peer : peers_) peer->Reset();
  if (planned_.state > 0) std::memset(state_, 0, planned_.state);
  if (launcher_) launcher_->ForgetState();
  interrupted_ = false;
}

bool Session::Owns(const void* data) const {
  const std::less<const char*> before;  // of pointers into different objects
  const char* place = static_cast<const char*>(data);
  return !before(place, memory_.data()) && before(place, memory_.data() + memory_.bytes());
}

MemoryUse Session::memory() const {
  MemoryUse use = planned_;
  use.weights = weights().bytes();
  return use;
}

void Session::ClearTimes() {
  for (const auto& entry : entries_) entry->ClearTimes();
}

}  // namespace ashlar
