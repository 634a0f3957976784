// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/communicator.h"

#include <algorithm>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

namespace ashlar {

std::string_view CollectiveName(CollectiveKind kind) {
  constexpr std::string_view names[] = {"all_reduce", "reduce_scatter", "all_gather", "all_to_all",
                                        "permute",    "broadcast",      "send",       "recv"};
  return names[static_cast<int>(kind)];
}

absl::Status Communicator::Run(const Collective& call) {
  ASHLAR_ASSIGN_OR_RETURN(CollectiveTicket ticket, Start(call));
  return Wait(ticket);
}

int PlaceOf(const std::vector<int>& group, int rank) {
  auto found = std::find(group.begin(), group.end(), rank);
  return found == group.end() ? -1 : static_cast<int>(found - group.begin());
}

namespace {

bool Reduces(CollectiveKind kind) {
  return kind == CollectiveKind::kAllReduce || kind == CollectiveKind::kReduceScatter;
}

bool IsMessage(CollectiveKind kind) {
  return kind == CollectiveKind::kSend || kind == CollectiveKind::kRecv;
}

bool AreCounts(const std::vector<int64_t>* counts, size_t places) {
  return counts && counts->size() == places &&
         std::all_of(counts->begin(), counts->end(), [](int64_t count) { return count >= 0; });
}

std::string Where(std::string_view where) {
  return where.empty() ? std::string() : StrCat(" of ", where);
}

}  // namespace

absl::Status CheckCollective(const Collective& call, int rank) {
  auto wrong = [&](const std::string& what) {
    return InvalidArgument(CollectiveName(call.kind), Where(call.where), ": ", what);
  };
  if (!call.group || PlaceOf(*call.group, rank) < 0)
    return wrong(StrCat("rank ", rank, " is none of its group"));
  const size_t places = call.group->size();
  if (call.count < 0) return wrong(StrCat("a count of ", call.count));
  if (Reduces(call.kind) &&
      (static_cast<int>(call.dtype) >= kNumArtifactDTypes || call.dtype == DType::kBool))
    return wrong(StrCat("elements of type ", DTypeName(call.dtype), " are not reduced"));
  const bool has_counts = call.kind == CollectiveKind::kReduceScatter ||
                          call.kind == CollectiveKind::kAllGather ||
                          call.kind == CollectiveKind::kAllToAll;
  if (has_counts && !AreCounts(call.counts, places))
    return wrong(StrCat("takes a count for each of ", places, " places"));
  if (call.kind == CollectiveKind::kAllToAll && !AreCounts(call.recv_counts, places))
    return wrong(StrCat("takes a count to receive for each of ", places, " places"));
  if (call.kind == CollectiveKind::kPermute) {
    if (!call.targets || call.targets->size() != places)
      return wrong(StrCat("takes a target for each of ", places, " places"));
    std::vector<bool> taken(places);
    for (int target : *call.targets) {
      if (target < -1 || target >= static_cast<int>(places) || (target >= 0 && taken[target]))
        return wrong(StrCat("target ", target, " is no place, or gets twice"));
      if (target >= 0) taken[target] = true;
    }
  }
  if (IsMessage(call.kind) && places != 2)
    return wrong(StrCat("is between two ranks, found a group of ", places));
  if ((IsMessage(call.kind) || call.kind == CollectiveKind::kBroadcast) &&
      (call.peer < 0 || call.peer >= static_cast<int>(places)))
    return wrong(StrCat("names the place ", call.peer, " of ", places));
  if (IsMessage(call.kind) && (*call.group)[call.peer] == rank)
    return wrong("a rank sends itself nothing");
  return absl::OkStatus();
}

CollectiveSignature SignatureOf(const Collective& call, int other) {
  CollectiveSignature signature{call.kind, call.dtype, call.reduction, call.peer, call.count, 0};
  auto mix = [&](int64_t value) {  // unsigned, which may wrap around
    signature.count = static_cast<int64_t>(static_cast<uint64_t>(signature.count) * 1000003 +
                                           static_cast<uint64_t>(value) + 1);
  };
  if (call.kind == CollectiveKind::kReduceScatter || call.kind == CollectiveKind::kAllGather)
    for (int64_t count : *call.counts) mix(count);
  if (call.kind == CollectiveKind::kPermute)
    for (int target : *call.targets) mix(target);
  if (call.kind == CollectiveKind::kAllToAll) {
    signature.count = (*call.recv_counts)[other];
    signature.expects = (*call.counts)[other];
  }
  return signature;
}

bool CollectiveSignature::Meets(const CollectiveSignature& other) const {
  if (dtype != other.dtype) return false;
  if (IsMessage(kind)) return IsMessage(other.kind) && kind != other.kind && count == other.count;
  if (kind == CollectiveKind::kAllToAll)
    return kind == other.kind && count == other.expects && expects == other.count;
  return kind == other.kind && reduction == other.reduction && peer == other.peer &&
         count == other.count;
}

std::string CollectiveSignature::ToString() const {
  constexpr std::string_view reductions[] = {" sum", " max", " min"};
  std::string text(CollectiveName(kind));
  if (Reduces(kind)) text += reductions[static_cast<int>(reduction)];
  text += StrCat(" of ", DTypeName(dtype));
  if (kind == CollectiveKind::kAllReduce || kind == CollectiveKind::kBroadcast || IsMessage(kind))
    text += StrCat(" x ", count);
  return text;
}

absl::Status LateError(int rank, int late, const Collective& call,
                       std::chrono::milliseconds after) {
  return WithCode(
      ErrorCode::kRankLate,
      absl::DeadlineExceededError(StrCat(
          "rank ", late, " has not come to ", CollectiveName(call.kind), Where(call.where), " for ",
          static_cast<double>(after.count()) / 1000, " s, where rank ", rank, " waits for it")));
}

absl::Status GoneError(int rank, int gone, const Collective& call) {
  return WithCode(
      ErrorCode::kRankGone,
      absl::UnavailableError(StrCat("rank ", gone, " has left before ", CollectiveName(call.kind),
                                    Where(call.where), ", where rank ", rank, " waits for it")));
}

absl::Status DivergedError(int rank, const Collective& mine, int other,
                           const CollectiveSignature& theirs, std::string_view their_where) {
  return WithCode(ErrorCode::kRankDiverged,
                  FailedPrecondition("ranks issue different collectives: rank ", rank, " ",
                                     SignatureOf(mine, PlaceOf(*mine.group, other)).ToString(),
                                     Where(mine.where), ", rank ", other, " ", theirs.ToString(),
                                     Where(their_where)));
}

}  // namespace ashlar
