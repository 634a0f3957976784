// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/message_tags.h"

#include <algorithm>

#include "runtime/base/error_code.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr int kBlockGroups = 4096, kMessageGroups = 4;
// With it no two groups of a mesh of up to 64 ranks meet that have two ranks in common.
constexpr uint64_t kSeed = 8;

uint64_t HashOf(std::vector<int> group, int sender, uint64_t seed) {
  group.push_back(sender);
  return Hash64({reinterpret_cast<const char*>(group.data()), group.size() * sizeof(int)}, seed);
}

std::string Describe(const Collective& call) {
  std::string text = StrCat(CollectiveName(call.kind), " among ranks ", StrJoin(*call.group, ", "));
  return call.where.empty() ? text : StrCat(text, " of ", call.where);
}

}  // namespace

int TagGroupOf(const std::vector<int>& group, int sender) {
  const bool ascends = std::is_sorted(group.begin(), group.end());
  // From one rank to another there are two ways to write a message's group.
  if (sender >= 0) return kBlockGroups + 2 * ascends + (sender == group[0]);
  int bits = 0;  // in which the ranks differ; if these alone are free, a rank's bits say its group
  for (int rank : group) bits |= rank ^ group[0];
  if (ascends && bits < kBlockGroups && (group[0] & bits) == 0 &&
      group.size() == size_t{1} << __builtin_popcount(static_cast<unsigned>(bits)))
    return bits;
  constexpr uint64_t kRest = kTagGroups - kBlockGroups - kMessageGroups;
  return kBlockGroups + kMessageGroups + static_cast<int>(HashOf(group, sender, kSeed) % kRest);
}

CallTag MessageTags::Next(const Collective& call, int rank) {
  const std::vector<int>& group = *call.group;
  const int sender = call.kind == CollectiveKind::kSend   ? rank
                     : call.kind == CollectiveKind::kRecv ? group[call.peer]
                                                          : -1;
  auto known = std::find_if(channels_.begin(), channels_.end(), [&](const Channel& each) {
    return each.group == group && each.sender == sender;
  });
  if (known == channels_.end()) {
    const CallTag first = {TagGroupOf(group, sender) * kTagCalls * kTagSteps,
                           HashOf(group, sender, /*seed=*/0)};
    known = channels_.insert(channels_.end(), {group, sender, first});
  }
  CallTag tag = known->tag;
  tag.first += known->calls * kTagSteps;
  known->calls = (known->calls + 1) % kTagCalls;
  return tag;
}

int SharedPeer(const Collective& one, const Collective& other, int rank) {
  for (int peer : *one.group)
    if (peer != rank && PlaceOf(*other.group, peer) >= 0) return peer;
  return -1;
}

absl::Status TagInUseError(int rank, const Collective& call, const Collective& other, int peer) {
  return FailedPrecondition("rank ", rank, " cannot tell messages of rank ", peer, " apart, of ",
                            Describe(call), " and of ", Describe(other),
                            ", which is under way: one has to end before the other starts");
}

absl::Status OtherGroupError(int rank, const Collective& call, int other,
                             const CollectiveSignature& theirs, std::string_view their_where) {
  return WithCode(
      ErrorCode::kRankDiverged,
      FailedPrecondition("rank ", rank, " issues ", Describe(call), ", and rank ", other,
                         " a call of another group with the same tag: ", theirs.ToString(),
                         their_where.empty() ? "" : " of ", their_where));
}

}  // namespace ashlar
