// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tags that tell the messages of calls apart. A tag has a number for the group, one for its call
// and one for the step of the call, in 23 bits: what some of Open MPI's transports have.
//
// No two ranks can ask each other which groups they have in common, so that each works out a
// group's number by itself. Messages, and the groups, their ranks ascending, of a mesh of up to
// 4096 ranks whose sizes are powers of two have numbers of their own; the others' are a hash, in
// which none of a mesh of up to 64 ranks meet. Beyond, two groups with two ranks in common may have
// one number (1 of 39590 pairs). That is an error, and no wrong data:
//  - two calls with one tag that are under way at once, which might get each other's blocks, are
//    refused by the rank that starts the second;
//  - otherwise what two ranks have sent each other with one tag is taken in the order of their
//    calls, so that the first difference is one of headers, where `channel` differs.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "runtime/communicator/communicator.h"

namespace ashlar {

// The number of a group's collectives, or of the messages of the rank `sender` in a group of two
// (-1: none): less than kTagGroups.
int TagGroupOf(const std::vector<int>& group, int sender);

constexpr int kTagSteps = 3;  // headers, blocks, results
constexpr int kTagCalls = 64;
constexpr int kLastTag = (1 << 23) - 1;  // no call's
constexpr int kTagGroups = kLastTag / (kTagCalls * kTagSteps);

struct CallTag {
  int first = 0;         // of as many tags as there are steps
  uint64_t channel = 0;  // a hash of the group and the sender: 64 bits
};

// One rank's, which counts its calls.
class MessageTags {
 public:
  // The same on all of a group, and another for each of 64 calls of it one after the other.
  CallTag Next(const Collective& call, int rank);

 private:
  // What is counted in one order: a group's collectives, or its messages from one sender.
  struct Channel {
    std::vector<int> group;
    int sender;
    CallTag tag;  // of the first call
    int calls = 0;
  };
  std::vector<Channel> channels_;
};

// A rank that both exchange messages with, -1 where there is none.
int SharedPeer(const Collective& one, const Collective& other, int rank);

// `call` would have the tag of `other`, which is under way.
absl::Status TagInUseError(int rank, const Collective& call, const Collective& other, int peer);
// What the rank `other` sent with the tag of `call` is of another group.
absl::Status OtherGroupError(int rank, const Collective& call, int other,
                             const CollectiveSignature& theirs, std::string_view their_where);

}  // namespace ashlar
