// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/nccl.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/communicator/last_words.h"
#include "runtime/communicator/nccl_group.h"

namespace ashlar {
namespace {

using Clock = std::chrono::steady_clock;
using nccl::Group;

// How long a device may take to come to a call: what it has to do before it, a few layers.
constexpr auto kDeviceDeadline = std::chrono::seconds(60);
// How long finding each other may take, over many hosts.
constexpr auto kJoinDeadline = std::chrono::seconds(60);
constexpr int kSpins = 1000;

bool IsMessage(const Collective& call) {
  return call.kind == CollectiveKind::kSend || call.kind == CollectiveKind::kRecv;
}

class Nccl : public Communicator {
 public:
  Nccl(std::shared_ptr<const nccl::Library> library, std::shared_ptr<Communicator> control,
       const NcclOptions& options)
      : library_(std::move(library)),
        control_(std::move(control)),
        driver_(options.driver),
        caller_(options.stream),
        everyone_(control_->size()) {
    std::iota(everyone_.begin(), everyone_.end(), 0);
  }

  ~Nccl() override {
    groups_.clear();  // an error has aborted them
    for (Pending& pending : pending_)
      if (pending.done) driver_->cuEventDestroy_v2(pending.done);
    if (ready_) driver_->cuEventDestroy_v2(ready_);
    if (stream_) driver_->cuStreamDestroy_v2(stream_);
  }

  absl::Status Prepare() {
    ASHLAR_RETURN_IF_ERROR(Check(driver_->cuStreamCreate(&stream_, cuda::kStreamNonBlocking),
                                 "cuStreamCreate for NCCL"));
    ASHLAR_RETURN_IF_ERROR(
        Check(driver_->cuEventCreate(&ready_, cuda::kEventDisableTiming), "cuEventCreate"));
    return FindGroup(everyone_).status();
  }

  int rank() const override { return control_->rank(); }
  int size() const override { return control_->size(); }
  std::string_view name() const override { return "nccl"; }
  std::chrono::milliseconds deadline() const override { return control_->deadline(); }
  void Tick() override { control_->Tick(); }
  void Fail(const absl::Status& status) override {
    if (!status_.ok()) return;
    status_ = status;
    control_->Fail(status);
    for (auto& group : groups_) group->Abort();
  }

  absl::StatusOr<CollectiveTicket> Start(const Collective& call) override {
    ASHLAR_RETURN_IF_ERROR(status_);
    ASHLAR_RETURN_IF_ERROR(CheckCollective(call, rank()));
    size_t ticket = 0;
    while (ticket < pending_.size() && pending_[ticket].state != State::kFree) ++ticket;
    if (ticket == pending_.size()) pending_.emplace_back();
    pending_[ticket].call = call;
    absl::Status status = IsMessage(call) ? Queue(ticket) : Issue(pending_[ticket]);
    if (!status.ok()) return Failed(status);
    return static_cast<CollectiveTicket>(ticket);
  }

  absl::Status Wait(CollectiveTicket ticket) override {
    ASHLAR_RETURN_IF_ERROR(status_);
    absl::Status status;
    if (pending_[ticket].state == State::kQueued) status = IssueMessages();
    if (status.ok()) status = Finish(pending_[ticket]);
    pending_[ticket].state = State::kFree;
    return status.ok() ? status : Failed(status);
  }

 private:
  enum class State { kFree, kQueued, kIssued };
  struct Pending {
    State state = State::kFree;
    Collective call;
    CollectiveTicket meeting = 0;  // of a message: the control's
    Group* group = nullptr;
    CUevent_st* done = nullptr;
  };

  absl::Status Failed(const absl::Status& status) {
    Fail(status);
    return status_;
  }
  absl::Status Check(int error, std::string_view what) const {
    return driver_->ToStatus(error, what);
  }
  std::string Describe(const Collective& call) const {
    return StrCat(CollectiveName(call.kind), call.where.empty() ? "" : " of ", call.where);
  }

  // Asks until the answer is yes, an error, or late. The others hear that this rank lives.
  template <typename IsDone, typename Late>
  absl::Status Await(IsDone is_done, std::chrono::milliseconds limit, Late late) {
    const Clock::time_point begin = Clock::now();
    for (int round = 0;; ++round) {
      ASHLAR_ASSIGN_OR_RETURN(bool done, is_done());
      if (done) return absl::OkStatus();
      if (Clock::now() - begin > limit)
        return WithCode(ErrorCode::kRankLate, absl::DeadlineExceededError(late()));
      control_->Tick();
      if (round < kSpins)
        sched_yield();
      else
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  absl::StatusOr<bool> HasHappened(CUevent_st* event, std::string_view what) const {
    const int error = driver_->cuEventQuery(event);
    if (error == cuda::kNotReady) return false;
    ASHLAR_RETURN_IF_ERROR(Check(error, what));
    return true;
  }

  // Until the device has done what it was given before this call. It is no rank that is late.
  absl::Status AwaitDevice(const Collective& call) {
    ASHLAR_RETURN_IF_ERROR(Check(driver_->cuEventRecord(ready_, caller_), "cuEventRecord"));
    return Await([&] { return HasHappened(ready_, StrCat("before ", Describe(call))); },
                 kDeviceDeadline,
                 [&] {
                   return StrCat("the device of rank ", rank(), " has not come to ", Describe(call),
                                 " for ", kDeviceDeadline.count(), " s");
                 });
  }

  Collective Meeting(const Collective& call) const {
    Collective meeting = call;
    meeting.compares_only = true;
    return meeting;
  }

  // The communicator of a group, which all its ranks are about to use.
  absl::StatusOr<Group*> FindGroup(const std::vector<int>& ranks) {
    for (auto& group : groups_)
      if (group->ranks() == ranks) return group.get();
    nccl::UniqueId id = {};
    const int place = PlaceOf(ranks, rank());
    if (place == 0)
      ASHLAR_RETURN_IF_ERROR(library_->ToStatus(library_->ncclGetUniqueId(&id), "ncclGetUniqueId"));
    Collective call;
    call.kind = CollectiveKind::kBroadcast;
    call.dtype = DType::kU8;
    call.group = &ranks;
    call.input = call.output = &id;
    call.count = sizeof(id);
    call.where = "what NCCL's ranks find each other by";
    call.deadline = kJoinDeadline;  // some may have the library to load first
    ASHLAR_RETURN_IF_ERROR(control_->Run(call));
    auto group = std::make_unique<Group>(library_, driver_, ranks, rank(), stream_);
    absl::Status status = group->Begin(id);
    if (status.ok())
      status = Settle(*group, kJoinDeadline, [&] {
        return StrCat("rank ", rank(), ": NCCL has not joined the ranks ", StrJoin(ranks, ", "),
                      " for ", kJoinDeadline.count(), " s (NCCL_DEBUG=INFO says more)");
      });
    if (!status.ok()) {
      group->Abort();
      return status;
    }
    groups_.push_back(std::move(group));
    return groups_.back().get();
  }

  // Until NCCL has taken the calls; the device does them then.
  template <typename Late>
  absl::Status Settle(Group& group, std::chrono::milliseconds limit, Late late) {
    return Await([&] { return group.IsSettled(); }, limit, late);
  }

  absl::Status Settle(Pending& pending) {
    ASHLAR_RETURN_IF_ERROR(Settle(*pending.group, LimitOf(pending.call), [&] {
      return StrCat("NCCL does not take ", Describe(pending.call), " of rank ", rank());
    }));
    return Mark(pending);
  }

  absl::Status Mark(Pending& pending) {
    if (!pending.done)
      ASHLAR_RETURN_IF_ERROR(
          Check(driver_->cuEventCreate(&pending.done, cuda::kEventDisableTiming), "cuEventCreate"));
    pending.state = State::kIssued;
    return Check(driver_->cuEventRecord(pending.done, stream_), "cuEventRecord");
  }

  absl::Status Issue(Pending& pending) {
    ASHLAR_RETURN_IF_ERROR(IssueMessages());
    const Collective& call = pending.call;
    ASHLAR_RETURN_IF_ERROR(AwaitDevice(call));
    ASHLAR_RETURN_IF_ERROR(control_->Run(Meeting(call)));
    ASHLAR_ASSIGN_OR_RETURN(pending.group, FindGroup(*call.group));
    ASHLAR_RETURN_IF_ERROR(pending.group->Issue(call));
    return Settle(pending);
  }

  // From whom to whom.
  std::pair<int, int> WayOf(const Collective& message) const {
    const int peer = (*message.group)[message.peer];
    return message.kind == CollectiveKind::kSend ? std::pair(rank(), peer)
                                                 : std::pair(peer, rank());
  }

  absl::Status Queue(size_t ticket) {
    Pending& pending = pending_[ticket];
    ASHLAR_ASSIGN_OR_RETURN(pending.meeting, control_->Start(Meeting(pending.call)));
    pending.state = State::kQueued;
    queue_.push_back(ticket);
    return absl::OkStatus();
  }

  // All messages that were started since, at once.
  absl::Status IssueMessages() {
    if (queue_.empty()) return absl::OkStatus();
    Group& all = *groups_.front();
    std::vector<const Collective*> messages;
    for (size_t ticket : queue_) messages.push_back(&pending_[ticket].call);
    ASHLAR_RETURN_IF_ERROR(AwaitDevice(*messages.front()));
    // By sender and receiver, in which order all ranks meet: those whose messages cross do not wait
    // for each other.
    std::vector<std::pair<std::pair<int, int>, size_t>> meetings;
    for (size_t i = 0; i < queue_.size(); ++i)
      meetings.emplace_back(WayOf(pending_[queue_[i]].call), i);
    std::sort(meetings.begin(), meetings.end());
    for (const auto& [way, i] : meetings)
      ASHLAR_RETURN_IF_ERROR(control_->Wait(pending_[queue_[i]].meeting));
    ASHLAR_RETURN_IF_ERROR(all.IssueMessages(messages));
    for (size_t ticket : queue_) {
      pending_[ticket].group = &all;
      ASHLAR_RETURN_IF_ERROR(Settle(pending_[ticket]));
    }
    queue_.clear();
    return absl::OkStatus();
  }

  absl::Status Finish(Pending& pending) {
    const Collective& call = pending.call;
    std::optional<LastWords> words;  // of a process that is one rank
    if (control_->name() != "loopback") words.emplace(rank(), call);
    auto is_done = [&]() -> absl::StatusOr<bool> {
      ASHLAR_RETURN_IF_ERROR(pending.group->IsSettled().status());
      return HasHappened(pending.done, Describe(call));
    };
    return Await(is_done, LimitOf(call), [&] {
      return StrCat(Describe(call), " is not over for ",
                    static_cast<double>(LimitOf(call).count()) / 1000, " s on rank ", rank(),
                    ", though all its ranks have come to it");
    });
  }

  std::chrono::milliseconds LimitOf(const Collective& call) const {
    return call.deadline.count() > 0 ? call.deadline : deadline();
  }

  std::shared_ptr<const nccl::Library> library_;
  std::shared_ptr<Communicator> control_;
  std::shared_ptr<const cuda::Driver> driver_;
  CUstream_st* caller_;
  std::vector<int> everyone_;
  CUstream_st* stream_ = nullptr;  // of all calls
  CUevent_st* ready_ = nullptr;
  absl::Status status_;
  std::vector<std::unique_ptr<Group>> groups_;  // that of all ranks first
  std::vector<Pending> pending_;
  std::vector<size_t> queue_;  // messages, as they were started
};

}  // namespace

absl::StatusOr<std::unique_ptr<Communicator>> JoinNccl(std::shared_ptr<Communicator> control,
                                                       const NcclOptions& options) {
  auto join = [&]() -> absl::StatusOr<std::unique_ptr<Communicator>> {
    ASHLAR_ASSIGN_OR_RETURN(auto library, nccl::Library::Open());
    auto joined = std::make_unique<Nccl>(library, control, options);
    ASHLAR_RETURN_IF_ERROR(joined->Prepare());
    return std::unique_ptr<Communicator>(std::move(joined));
  };
  auto joined = join();
  if (!joined.ok()) control->Fail(Annotate(joined.status(), StrCat("rank ", control->rank())));
  return joined;
}

}  // namespace ashlar
