// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/session.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "runtime/api/cpu_launcher.h"
#include "runtime/api/cuda_launcher.h"
#include "runtime/api/emulated_launcher.h"
#include "runtime/base/error_code.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/communicator/loopback.h"
#include "runtime/device/cpu/cpu_cores.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/cut.h"

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
  ASHLAR_RETURN_IF_ERROR(session->AddEarlierStages(options));
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

absl::Status Session::AddEarlierStages(const SessionOptions& options) {
  if (bound_->earlier_stages().empty()) return absl::OkStatus();
  if (bound_->device() == "cuda")
    return Unimplemented(
        program().path(), " has ", program().chunks(),
        " stages for each rank, which GPUs do not run; compile it with --chunks 1");
  SessionOptions own = options;
  own.buffer = nullptr;  // the caller's is the last stage's
  own.executor = executor_;
  own.communicator = communicator_;
  for (const auto& stage : bound_->earlier_stages()) {
    ASHLAR_ASSIGN_OR_RETURN(auto session, Create(stage, own));
    earlier_.push_back(std::move(session));
  }
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

void Session::Reset() {
  for (const auto& peer : peers_) peer->Reset();
  for (const auto& stage : earlier_) stage->Reset();
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
  for (const auto& stage : earlier_) {
    const MemoryUse more = stage->memory();
    use.arena += more.arena, use.scratch += more.scratch;
    use.state += more.state, use.weights += more.weights;
  }
  return use;
}

void Session::ClearTimes() {
  for (const auto& entry : entries_) entry->ClearTimes();
}

}  // namespace ashlar
