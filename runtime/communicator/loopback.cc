// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/loopback.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "runtime/base/status.h"
#include "runtime/communicator/reduce.h"

namespace ashlar {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSlots = 64;  // calls of a group that may be under way at once
constexpr auto kSpin = std::chrono::microseconds(50);
constexpr auto kNap = std::chrono::milliseconds(20);

// One call of a group; reused for every kSlots-th. Counts go on growing: generation g is complete
// at (g + 1) times the group's size.
struct Slot {
  std::vector<Collective> calls;  // by place
  std::atomic<int64_t> posted{0}, done{0};
};

// A group's calls, in order.
struct Channel {
  explicit Channel(size_t places) : next(places, 0), arrived(places), finished(places) {
    for (Slot& slot : slots) slot.calls.resize(places);
  }
  std::array<Slot, kSlots> slots;
  std::vector<int64_t> next;                   // of each place, its own thread's
  std::vector<std::atomic<int64_t>> arrived;   // calls that each place has posted
  std::vector<std::atomic<int64_t>> finished;  // and done its share of
};

struct World {
  World(int ranks, std::chrono::milliseconds deadline)
      : size(ranks), deadline(deadline), ticks(ranks), awaits(ranks), left(ranks) {
    for (std::atomic<int>& awaited : awaits) awaited.store(-1);
  }

  // Messages have channels of their own, one for each direction.
  Channel* GetChannel(const std::vector<int>& group, int sender) {
    std::lock_guard<std::mutex> lock(mutex);
    auto& channel = channels[{group, sender}];
    if (!channel) channel = std::make_unique<Channel>(group.size());
    return channel.get();
  }

  void Wake() {
    if (sleepers.load() == 0) return;
    std::lock_guard<std::mutex> lock(mutex);
    changed.notify_all();
  }

  // The signs of life of a rank and of those that it waits for, one behind the other.
  int64_t SignsOf(int rank) const {
    int64_t signs = 0;
    for (int hop = 0; rank >= 0 && hop < size; ++hop) {
      signs += ticks[rank].load(std::memory_order_relaxed);
      rank = awaits[rank].load(std::memory_order_relaxed);
    }
    return signs;
  }

  // The first error stays.
  void Fail(const absl::Status& error) {
    std::lock_guard<std::mutex> lock(mutex);
    if (!failed.load()) status = error;
    failed.store(true);
    changed.notify_all();
  }

  const int size;
  const std::chrono::milliseconds deadline;
  std::vector<std::atomic<int64_t>> ticks;  // signs of life
  std::vector<std::atomic<int>> awaits;     // whom each rank waits for, or -1
  std::vector<std::atomic<bool>> left;
  std::atomic<bool> failed{false};
  std::atomic<int> at_work{0};  // ranks that read and write each other's memory now
  std::atomic<int> sleepers{0};
  std::mutex mutex;  // of what follows
  std::condition_variable changed;
  absl::Status status;
  std::map<std::pair<std::vector<int>, int>, std::unique_ptr<Channel>> channels;
};

class Loopback : public Communicator {
 public:
  Loopback(std::shared_ptr<World> world, int rank) : world_(std::move(world)), rank_(rank) {}
  ~Loopback() override {
    world_->left[rank_].store(true);
    std::lock_guard<std::mutex> lock(world_->mutex);
    world_->changed.notify_all();
  }

  int rank() const override { return rank_; }
  int size() const override { return world_->size; }
  std::string_view name() const override { return "loopback"; }
  std::chrono::milliseconds deadline() const override { return world_->deadline; }
  void Tick() override { world_->ticks[rank_].fetch_add(1, std::memory_order_relaxed); }
  // Afterwards nobody reads what this rank has started to send.
  void Fail(const absl::Status& status) override { Failed(status).IgnoreError(); }

  absl::StatusOr<CollectiveTicket> Start(const Collective& call) override {
    ASHLAR_RETURN_IF_ERROR(CheckCollective(call, rank_));
    if (world_->failed.load()) return Failure();
    Tick();
    Pending pending;
    pending.channel = FindChannel(call);
    pending.place = PlaceOf(*call.group, rank_);
    pending.number = pending.channel->next[pending.place]++;
    Slot& slot = pending.slot();
    const int64_t before = pending.number / kSlots * pending.size();
    ASHLAR_RETURN_IF_ERROR(WaitFor(
        call, pending, [&] { return slot.done.load() >= before; }, /*for_done=*/true,
        pending.number - kSlots));
    slot.calls[pending.place] = call;
    pending.channel->arrived[pending.place].store(pending.number + 1);
    // A message is the receiver's work alone: what it waits for is that this was posted.
    if (call.kind == CollectiveKind::kSend) slot.done.fetch_add(1);
    slot.posted.fetch_add(1);
    world_->Wake();
    size_t ticket = 0;
    while (ticket < pending_.size() && pending_[ticket].channel) ++ticket;
    if (ticket == pending_.size()) pending_.emplace_back();
    pending_[ticket] = pending;
    return static_cast<CollectiveTicket>(ticket);
  }

  absl::Status Wait(CollectiveTicket ticket) override {
    Pending pending = pending_[ticket];
    pending_[ticket].channel = nullptr;
    Slot& slot = pending.slot();
    const Collective& call = slot.calls[pending.place];
    const int64_t all = (pending.number / kSlots + 1) * pending.size();
    ASHLAR_RETURN_IF_ERROR(
        WaitFor(call, pending, [&] { return slot.posted.load() >= all; }, false, pending.number));
    // Once a run has failed nobody begins to touch the others' memory, their lists of counts
    // included.
    world_->at_work.fetch_add(1);
    absl::Status same;
    if (call.kind == CollectiveKind::kSend) {
      pending.channel->finished[pending.place].store(pending.number + 1);
    } else if (!world_->failed.load()) {
      same = Compare(slot.calls);  // all find a difference, or nobody does
      if (same.ok()) {
        if (!call.compares_only) DoShare(slot.calls, pending.place);
        pending.channel->finished[pending.place].store(pending.number + 1);
        slot.done.fetch_add(1);
      }
    }
    world_->at_work.fetch_sub(1);
    world_->Wake();
    if (!same.ok()) return Failed(same);
    return WaitFor(call, pending, [&] { return slot.done.load() >= all; }, true, pending.number);
  }

 private:
  struct Pending {
    Channel* channel = nullptr;  // none: the place in the list is free
    int64_t number = 0;          // of the channel's calls
    int place = 0;
    Slot& slot() const { return channel->slots[number % kSlots]; }
    int size() const { return static_cast<int>(channel->next.size()); }
  };

  // Whether all places mean the same: each as the first does, and where every pair exchanges other
  // counts, as every other.
  static absl::Status Compare(const std::vector<Collective>& calls) {
    const int places = static_cast<int>(calls.size());
    const int first = calls[0].kind == CollectiveKind::kAllToAll ? places - 1 : 1;
    for (int one = 0; one < std::min(first, places); ++one)
      for (int other = one + 1; other < places; ++other) {
        const CollectiveSignature theirs = SignatureOf(calls[other], one);
        if (!SignatureOf(calls[one], other).Meets(theirs))
          return DivergedError((*calls[0].group)[one], calls[one], (*calls[0].group)[other], theirs,
                               calls[other].where);
      }
    return absl::OkStatus();
  }

  Channel* FindChannel(const Collective& call) {
    int sender = -1;  // no message
    if (call.kind == CollectiveKind::kSend) sender = PlaceOf(*call.group, rank_);
    if (call.kind == CollectiveKind::kRecv) sender = call.peer;
    for (const Known& known : known_)
      if (known.sender == sender && known.group == *call.group) return known.channel;
    known_.push_back({sender, *call.group, world_->GetChannel(*call.group, sender)});
    return known_.back().channel;
  }

  // Waits until `ready`, the run has failed, or somebody of the group who has not come to the call
  // `number` (or is not done with it) is late or has left. Who waits for a rank that shows life is
  // not late; the one that waits for a dead rank itself is the first to say so.
  template <typename Ready>
  absl::Status WaitFor(const Collective& call, const Pending& pending, Ready ready, bool for_done,
                       int64_t number) {
    const auto deadline = call.deadline.count() > 0 ? call.deadline : world_->deadline;
    const Clock::time_point begin = Clock::now();
    Clock::time_point since = begin;
    int64_t life = -1;
    absl::Status status;
    for (int64_t round = 0; status.ok() && !ready(); ++round) {
      if (world_->failed.load()) {
        status = Failure();
        break;
      }
      if (round % 64 != 63) {
        Pause();
        continue;
      }
      const Clock::time_point now = Clock::now();
      if (now - begin < kSpin) {
        std::this_thread::yield();
        continue;
      }
      int late = -1;
      int64_t signs = 0;
      for (int place = 0; place < pending.size() && status.ok(); ++place) {
        if (place == pending.place) continue;
        const int other = (*call.group)[place];
        const auto& counts = for_done ? pending.channel->finished : pending.channel->arrived;
        if (counts[place].load() > number) continue;
        if (world_->left[other].load() && !ready()) status = Failed(GoneError(rank_, other, call));
        if (late < 0) late = other;
        signs += world_->SignsOf(other);
      }
      world_->awaits[rank_].store(late, std::memory_order_relaxed);
      const bool waits_too = late >= 0 && world_->awaits[late].load(std::memory_order_relaxed) >= 0;
      if (signs != life) {
        life = signs;
        since = now;
      } else if (late >= 0 && now - since > (waits_too ? deadline + deadline / 8 : deadline)) {
        status = Failed(LateError(rank_, late, call, deadline));
      }
      if (status.ok()) Nap(ready);
    }
    world_->awaits[rank_].store(-1, std::memory_order_relaxed);
    return status;
  }

  template <typename Ready>
  void Nap(Ready ready) {
    std::unique_lock<std::mutex> lock(world_->mutex);
    world_->sleepers.fetch_add(1);
    if (!ready() && !world_->failed.load()) world_->changed.wait_for(lock, kNap);
    world_->sleepers.fetch_sub(1);
  }

  static void Pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  // The run's error, once nobody touches this rank's memory any more.
  absl::Status Failure() {
    while (world_->at_work.load() > 0) std::this_thread::yield();
    std::lock_guard<std::mutex> lock(world_->mutex);
    return world_->status;
  }
  absl::Status Failed(const absl::Status& status) {
    world_->Fail(status);
    return Failure();
  }

  // This rank's part of the work of a call that all have posted.
  void DoShare(const std::vector<Collective>& calls, int place) {
    const Collective& mine = calls[place];
    const int places = static_cast<int>(calls.size());
    const int64_t size = DTypeSize(mine.dtype);
    char* out = static_cast<char*>(mine.output);
    auto copy = [&](const Collective& from, int64_t begin, int64_t count) {
      const char* in = static_cast<const char*>(from.input) + begin * size;
      if (count > 0 && in != out)  // a root's own buffer is read by others meanwhile
        std::memcpy(out, in, count * size);
      out += count * size;
    };
    auto sum = [](const std::vector<int64_t>& counts, int end) {
      int64_t total = 0;
      for (int i = 0; i < end; ++i) total += counts[i];
      return total;
    };
    switch (mine.kind) {
      case CollectiveKind::kAllReduce: {
        inputs_.clear(), outputs_.clear();
        for (const Collective& call : calls)
          inputs_.push_back(call.input), outputs_.push_back(call.output);
        // Ranges that begin at cache lines, so that no two ranks write to one.
        const int64_t line = 64 / size, lines = (mine.count + line - 1) / line;
        const int64_t begin = std::min(mine.count, lines * place / places * line),
                      end = std::min(mine.count, lines * (place + 1) / places * line);
        return ReduceElements(mine.dtype, mine.reduction, inputs_, outputs_, begin, end);
      }
      case CollectiveKind::kReduceScatter: {
        const int64_t begin = sum(*mine.counts, place);
        inputs_.clear(), outputs_.assign(1, mine.output);
        for (const Collective& call : calls)
          inputs_.push_back(static_cast<const char*>(call.input) + begin * size);
        return ReduceElements(mine.dtype, mine.reduction, inputs_, outputs_, 0,
                              (*mine.counts)[place]);
      }
      case CollectiveKind::kAllGather:
        for (int p = 0; p < places; ++p) copy(calls[p], 0, (*mine.counts)[p]);
        return;
      case CollectiveKind::kAllToAll:
        for (int p = 0; p < places; ++p)
          copy(calls[p], sum(*calls[p].counts, place), (*mine.recv_counts)[p]);
        return;
      case CollectiveKind::kPermute: {
        const int from = PlaceOf(*mine.targets, place);
        if (from >= 0) return copy(calls[from], 0, mine.count);
        if (mine.count > 0) std::memset(out, 0, mine.count * size);
        return;
      }
      case CollectiveKind::kBroadcast:
        return copy(calls[mine.peer], 0, mine.count);
      case CollectiveKind::kRecv:
        return copy(calls[1 - place], 0, mine.count);
      case CollectiveKind::kSend:
        return;
    }
  }

  struct Known {
    int sender;
    std::vector<int> group;
    Channel* channel;
  };

  std::shared_ptr<World> world_;
  int rank_;
  std::vector<Pending> pending_;
  std::vector<Known> known_;  // channels in use; finding one allocates nothing
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
};

}  // namespace

std::vector<std::unique_ptr<Communicator>> MakeLoopback(int ranks,
                                                        std::chrono::milliseconds deadline) {
  auto world = std::make_shared<World>(ranks, deadline);
  std::vector<std::unique_ptr<Communicator>> ends;
  for (int rank = 0; rank < ranks; ++rank) ends.push_back(std::make_unique<Loopback>(world, rank));
  return ends;
}

}  // namespace ashlar
