// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/messages.h"

#include <sched.h>

#include <algorithm>
#include <cstring>

#include "runtime/base/status.h"
#include "runtime/communicator/heartbeat.h"
#include "runtime/communicator/last_words.h"
#include "runtime/communicator/message_tags.h"
#include "runtime/communicator/reduce.h"

namespace ashlar {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kLargestMessage = int64_t{1} << 30;
// How much longer a rank waits for one that waits itself, and ends all when it has said its error.
constexpr auto kGrace = std::chrono::milliseconds(600);
enum Step { kHeader, kBlocks, kResult };
static_assert(kResult < kTagSteps);

// What goes before the data.
struct Header {
  uint64_t channel;
  CollectiveSignature signature;
  char where[96];
};

struct Message {
  Transport::Request request = nullptr;
  int place;  // whom it goes to or comes from
};

// A call under way.
struct Pending {
  bool used = false;
  Collective call;
  int place = 0;
  CallTag tag;
  std::vector<Header> sent, got;  // by place
  std::vector<Message> headers, data;
  std::vector<Message> sends;   // that the end of the call waits for
  std::vector<char> staging;    // others' blocks of a reduction
  std::vector<int64_t> blocks;  // of a reduction, elements by place
};

class Messages : public Communicator {
 public:
  Messages(std::unique_ptr<Transport> transport, std::chrono::milliseconds deadline)
      : transport_(std::move(transport)),
        rank_(transport_->rank()),
        deadline_(deadline),
        heartbeat_(new Heartbeat(*transport_, kLastTag)) {}

  ~Messages() override {
    TakeBack();
    heartbeat_.reset();
    transport_->Leave(/*failed=*/!status_.ok());
  }

  int rank() const override { return rank_; }
  int size() const override { return transport_->size(); }
  std::string_view name() const override { return transport_->name(); }
  std::chrono::milliseconds deadline() const override { return deadline_; }
  void Tick() override {
    if (status_.ok()) heartbeat_->Beat();
  }
  void Fail(const absl::Status& status) override {
    if (status_.ok()) status_ = status;
    TakeBack();
  }

  absl::StatusOr<CollectiveTicket> Start(const Collective& call) override {
    ASHLAR_RETURN_IF_ERROR(status_);
    ASHLAR_RETURN_IF_ERROR(CheckCollective(call, rank_));
    const CallTag tag = tags_.Next(call, rank_);
    ASHLAR_RETURN_IF_ERROR(CheckTag(call, tag));
    size_t ticket = 0;
    while (ticket < pending_.size() && pending_[ticket]->used) ++ticket;
    if (ticket == pending_.size()) pending_.emplace_back(new Pending);
    Pending& p = *pending_[ticket];
    p.used = true;
    p.call = call;
    p.place = PlaceOf(*call.group, rank_);
    p.tag = tag;
    p.headers.clear(), p.data.clear(), p.sends.clear();
    SetBlocks(p);
    absl::Status status = SendHeaders(p);
    if (status.ok() && !call.compares_only) status = SendBlocks(p);
    if (!status.ok()) return Failed(status);
    return static_cast<CollectiveTicket>(ticket);
  }

  absl::Status Wait(CollectiveTicket ticket) override {
    ASHLAR_RETURN_IF_ERROR(status_);
    Pending& p = *pending_[ticket];
    LastWords words(rank_, p.call);
    if (absl::Status status = Finish(p); !status.ok()) return Failed(status);
    p.used = false;
    return absl::OkStatus();
  }

 private:
  absl::Status Failed(const absl::Status& status) {
    Fail(status);
    return status_;
  }

  // Ends what is under way: from here on the callers' memory is theirs.
  void TakeBack() {
    for (const auto& p : pending_) {
      if (!p->used) continue;
      p->used = false;
      for (std::vector<Message>* messages : {&p->headers, &p->data, &p->sends})
        for (Message& message : *messages)
          if (message.request) transport_->Cancel(&message.request);
    }
  }

  int places(const Pending& p) const { return static_cast<int>(p.call.group->size()); }

  absl::Status CheckTag(const Collective& call, const CallTag& tag) {
    for (const auto& other : pending_) {
      if (!other->used || other->tag.first != tag.first) continue;
      if (int peer = SharedPeer(call, other->call, rank_); peer >= 0)
        return Failed(TagInUseError(rank_, call, other->call, peer));
    }
    return absl::OkStatus();
  }

  void SetBlocks(Pending& p) {
    p.blocks.clear();
    const int n = places(p);
    if (p.call.kind == CollectiveKind::kReduceScatter) p.blocks = *p.call.counts;
    if (p.call.kind == CollectiveKind::kAllReduce)
      for (int place = 0; place < n; ++place)
        p.blocks.push_back(p.call.count * (place + 1) / n - p.call.count * place / n);
  }

  // Those with whom this rank exchanges data.
  bool Meets(const Pending& p, int place) const {
    if (place == p.place) return false;
    switch (p.call.kind) {
      case CollectiveKind::kSend:
      case CollectiveKind::kRecv:
        return place == p.call.peer;
      default:
        return true;
    }
  }

  absl::Status SendHeaders(Pending& p) {
    const int n = places(p);
    p.sent.resize(n), p.got.resize(n);
    for (int place = 0; place < n; ++place) {
      if (!Meets(p, place)) continue;
      Header& header = p.sent[place];
      std::memset(static_cast<void*>(&header), 0, sizeof(header));
      header.channel = p.tag.channel;
      header.signature = SignatureOf(p.call, place);
      p.call.where.copy(header.where, sizeof(header.where) - 1);
      ASHLAR_RETURN_IF_ERROR(Send(p, &header, sizeof(header), place, kHeader, &p.sends));
      ASHLAR_RETURN_IF_ERROR(Receive(p, &p.got[place], sizeof(Header), place, kHeader, &p.headers));
    }
    return absl::OkStatus();
  }

  int64_t Offset(const std::vector<int64_t>& counts, int place) const {
    int64_t offset = 0;
    for (int i = 0; i < place; ++i) offset += counts[i];
    return offset;
  }

  // What others need of this rank's input.
  absl::Status SendBlocks(Pending& p) {
    const Collective& call = p.call;
    const char* input = static_cast<const char*>(call.input);
    const int64_t size = DTypeSize(call.dtype);
    for (int place = 0; place < places(p); ++place) {
      if (!Meets(p, place)) continue;
      int64_t begin = 0, count = 0;
      switch (call.kind) {
        case CollectiveKind::kAllReduce:
        case CollectiveKind::kReduceScatter:
          begin = Offset(p.blocks, place), count = p.blocks[place];
          break;
        case CollectiveKind::kAllGather:
          count = (*call.counts)[p.place];
          break;
        case CollectiveKind::kAllToAll:
          begin = Offset(*call.counts, place), count = (*call.counts)[place];
          break;
        case CollectiveKind::kPermute:
          count = (*call.targets)[p.place] == place ? call.count : 0;
          break;
        case CollectiveKind::kBroadcast:
          count = call.peer == p.place ? call.count : 0;
          break;
        case CollectiveKind::kSend:
          count = call.count;
          break;
        case CollectiveKind::kRecv:
          break;
      }
      ASHLAR_RETURN_IF_ERROR(Send(p, input + begin * size, count * size, place, kBlocks, &p.sends));
    }
    return absl::OkStatus();
  }

  absl::Status Finish(Pending& p) {
    ASHLAR_RETURN_IF_ERROR(Await(p, p.headers));
    for (const Message& header : p.headers) {
      const Header& theirs = p.got[header.place];
      if (theirs.channel != p.tag.channel)
        return OtherGroupError(rank_, p.call, (*p.call.group)[header.place], theirs.signature,
                               theirs.where);
      if (!p.sent[header.place].signature.Meets(theirs.signature))
        return DivergedError(rank_, p.call, (*p.call.group)[header.place], theirs.signature,
                             theirs.where);
    }
    if (p.call.compares_only) return Await(p, p.sends);
    ASHLAR_RETURN_IF_ERROR(p.blocks.empty() ? Gather(p) : Combine(p));
    return Await(p, p.sends);
  }

  // Everybody's data, to their places in the output; what is this rank's own is copied.
  absl::Status Gather(Pending& p) {
    const Collective& call = p.call;
    const int64_t size = DTypeSize(call.dtype);
    char* out = static_cast<char*>(call.output);
    auto own = [&](int64_t from, int64_t count) {
      if (count > 0 && out != static_cast<const char*>(call.input) + from * size)
        std::memcpy(out, static_cast<const char*>(call.input) + from * size, count * size);
      out += count * size;
    };
    const int source = call.kind == CollectiveKind::kPermute     ? PlaceOf(*call.targets, p.place)
                       : call.kind == CollectiveKind::kBroadcast ? call.peer
                       : call.kind == CollectiveKind::kRecv      ? call.peer
                                                                 : -1;
    if (call.kind == CollectiveKind::kPermute && source < 0 && call.count > 0)
      std::memset(out, 0, call.count * size);
    for (int place = 0; place < places(p); ++place) {
      int64_t count = 0, from = 0;
      if (call.kind == CollectiveKind::kAllGather)
        count = (*call.counts)[place];
      else if (call.kind == CollectiveKind::kAllToAll)
        count = (*call.recv_counts)[place], from = Offset(*call.counts, place);
      else if (place == source)
        count = call.count;
      if (place == p.place) {
        own(from, count);
        continue;
      }
      ASHLAR_RETURN_IF_ERROR(Receive(p, out, count * size, place, kBlocks, &p.data));
      out += count * size;
    }
    return Await(p, p.data);
  }

  absl::Status Combine(Pending& p) {
    const Collective& call = p.call;
    const int64_t size = DTypeSize(call.dtype), mine = p.blocks[p.place];
    p.staging.resize(static_cast<size_t>(mine * size * places(p)));
    inputs_.clear();
    for (int place = 0; place < places(p); ++place) {
      char* into = p.staging.data() + place * mine * size;
      if (place == p.place) {
        inputs_.push_back(static_cast<const char*>(call.input) + Offset(p.blocks, place) * size);
        continue;
      }
      inputs_.push_back(into);
      ASHLAR_RETURN_IF_ERROR(Receive(p, into, mine * size, place, kBlocks, &p.data));
    }
    ASHLAR_RETURN_IF_ERROR(Await(p, p.data));
    ASHLAR_RETURN_IF_ERROR(Await(p, p.sends));  // the input may be the output
    char* out = static_cast<char*>(call.output);
    const bool all = call.kind == CollectiveKind::kAllReduce;
    char* result = out + (all ? Offset(p.blocks, p.place) * size : 0);
    ReduceElements(call.dtype, call.reduction, inputs_, {result}, 0, mine);
    if (!all) return absl::OkStatus();
    p.data.clear(), p.sends.clear();
    for (int place = 0; place < places(p); ++place) {
      if (place == p.place) continue;
      ASHLAR_RETURN_IF_ERROR(Send(p, result, mine * size, place, kResult, &p.sends));
      ASHLAR_RETURN_IF_ERROR(Receive(p, out + Offset(p.blocks, place) * size,
                                     p.blocks[place] * size, place, kResult, &p.data));
    }
    return Await(p, p.data);
  }

  // Nothing is sent for no bytes; what is large goes in pieces, which keep their order.
  absl::Status Send(const Pending& p, const void* data, int64_t bytes, int place, Step step,
                    std::vector<Message>* messages) {
    for (int64_t done = 0; done < bytes; done += kLargestMessage) {
      Message message{nullptr, place};
      ASHLAR_RETURN_IF_ERROR(transport_->Send(
          static_cast<const char*>(data) + done, std::min(kLargestMessage, bytes - done),
          (*p.call.group)[place], p.tag.first + step, &message.request));
      messages->push_back(message);
    }
    return absl::OkStatus();
  }

  absl::Status Receive(const Pending& p, void* data, int64_t bytes, int place, Step step,
                       std::vector<Message>* messages) {
    for (int64_t done = 0; done < bytes; done += kLargestMessage) {
      Message message{nullptr, place};
      ASHLAR_RETURN_IF_ERROR(transport_->Receive(
          static_cast<char*>(data) + done, std::min(kLargestMessage, bytes - done),
          (*p.call.group)[place], p.tag.first + step, &message.request));
      messages->push_back(message);
    }
    return absl::OkStatus();
  }

  absl::Status Await(const Pending& p, std::vector<Message>& messages) {
    const auto deadline = p.call.deadline.count() > 0 ? p.call.deadline : deadline_;
    Clock::time_point since = Clock::now();
    for (size_t at = 0; at < messages.size();) {
      Message& message = messages[at];
      auto done = transport_->Test(&message.request);
      if (absl::IsUnavailable(done.status()))
        return GoneError(rank_, (*p.call.group)[message.place], p.call);
      ASHLAR_RETURN_IF_ERROR(done.status());
      if (*done) {
        ++at;
        since = Clock::now();  // a sign of life
        continue;
      }
      ASHLAR_RETURN_IF_ERROR(CheckLife(p.call, message.place, since, deadline));
      sched_yield();
    }
    return absl::OkStatus();
  }

  // Late is who has given neither data nor, by itself or through those that it waits for, a sign of
  // life. Who waits for a dead rank itself is the first to say so.
  absl::Status CheckLife(const Collective& call, int place, Clock::time_point since,
                         std::chrono::milliseconds deadline) {
    auto silence = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since);
    if (silence < Heartbeat::kInterval) return absl::OkStatus();
    const Heartbeat::Life life = heartbeat_->LifeOf((*call.group)[place]);
    silence = std::min(silence, life.silence);
    if (silence > (life.waits ? deadline + kGrace : deadline))
      return LateError(rank_, (*call.group)[place], call, deadline);
    heartbeat_->Pass(silence);
    return absl::OkStatus();
  }

  std::unique_ptr<Transport> transport_;
  int rank_;
  std::chrono::milliseconds deadline_;
  std::unique_ptr<Heartbeat> heartbeat_;
  absl::Status status_;
  std::vector<std::unique_ptr<Pending>> pending_;
  MessageTags tags_;
  std::vector<const void*> inputs_;
};

}  // namespace

std::unique_ptr<Communicator> MakeMessages(std::unique_ptr<Transport> transport,
                                           std::chrono::milliseconds deadline) {
  return std::make_unique<Messages>(std::move(transport), deadline);
}

}  // namespace ashlar
