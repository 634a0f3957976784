// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What ranks say to each other: collectives over groups of ranks, and messages.
//
//   Collective call;
//   call.kind = CollectiveKind::kAllReduce;
//   call.dtype = DType::kF32;
//   call.group = &group;                       // {0, 1, 2, 3}: the same list on all of them
//   call.input = call.output = gradients;
//   call.count = n;
//   call.where = "model.layers.3.mlp.add";
//   absl::Status status = communicator->Run(call);
//
// The ranks of a group issue the same collectives of that group in the same order. Who does not is
// found out: a rank that issues something else, that leaves, or that shows no sign of life for the
// deadline ends the run of all ranks with an error that names the rank, the operation and its place
// in the model. After an error a communicator gives that error forever.
//
// In host memory sums are taken in the order of the ranks' places, in f32 for f16 and bf16 with one
// rounding at the end, so that a run gives the same bits each time, on every rank, through every
// implementation. NCCL promises the same bits on every rank, and neither the order nor the rounding
// (nccl.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/dtype.h"

namespace ashlar {

enum class CollectiveKind : int8_t {
  kAllReduce,      // every rank gets the combination of all inputs; output may be the input
  kReduceScatter,  // rank p gets block p of the combination
  kAllGather,      // every rank gets all blocks, one after the other
  kAllToAll,       // rank p gets everybody's block p, one after the other
  kPermute,        // rank p's input goes to the place targets[p]; nobody's target gets zeros
  kBroadcast,      // every rank gets the input of the place `peer`
  kSend,           // the input goes to the place `peer` of a group of two
  kRecv,           // the output comes from the place `peer` of a group of two
};
// "all_reduce"
std::string_view CollectiveName(CollectiveKind kind);

enum class Reduction : int8_t { kSum, kMax, kMin };

// One call. Elements are counted; memory is the caller's until the call is over.
struct Collective {
  CollectiveKind kind = CollectiveKind::kAllReduce;
  DType dtype = DType::kF32;  // reductions: F32, F16, BF16, F64, I64, I32, I8, U8; others: any
  Reduction reduction = Reduction::kSum;
  const std::vector<int>* group = nullptr;  // ranks by place; this rank is one of them
  const void* input = nullptr;
  void* output = nullptr;
  int64_t count = 0;  // all_reduce, permute, broadcast, send, recv
  // reduce_scatter, all_gather: elements of each place's block; all_to_all: sent to each place.
  const std::vector<int64_t>* counts = nullptr;
  const std::vector<int64_t>* recv_counts = nullptr;  // all_to_all: got from each place
  const std::vector<int>* targets = nullptr;          // permute, -1: to nobody
  int peer = 0;
  std::string_view where;  // for errors: the layer and its source
  // How long to wait for others; 0: the communicator's own.
  std::chrono::milliseconds deadline{0};
  // The ranks come together and compare what they are about to do, and nothing is read or written:
  // what a communicator whose data go another way does first.
  bool compares_only = false;
};

// How long ranks wait for one that shows no sign of life, where nobody says otherwise.
inline constexpr std::chrono::milliseconds kRankDeadline{4000};

// A call that is under way. Waited for once, in any order; started by the thread that waits.
using CollectiveTicket = int64_t;

// One rank's end; used by one thread at a time.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  // "loopback", "mpi", "tcp", "nccl"
  virtual std::string_view name() const = 0;
  // How long a rank may show no sign of life, where a call does not say otherwise.
  virtual std::chrono::milliseconds deadline() const = 0;

  // Issues a call: it may proceed while the rank does something else. What `call` points to stays
  // until Wait. Errors: InvalidArgument for a call that makes no sense.
  virtual absl::StatusOr<CollectiveTicket> Start(const Collective& call) = 0;
  // Returns when the output is there and the input may change. Errors: DeadlineExceeded,
  // FailedPrecondition where ranks issue different calls, Unavailable where one has left.
  virtual absl::Status Wait(CollectiveTicket ticket) = 0;
  absl::Status Run(const Collective& call);

  // A sign of life: whoever waits for this rank goes on waiting. Cheap enough for every launch.
  virtual void Tick() {}
  // Ends the run of all ranks with this error, unless it has ended already.
  virtual void Fail(const absl::Status& status) = 0;
};

// Checks what can be checked without the others.
absl::Status CheckCollective(const Collective& call, int rank);
// The place of a rank, -1 where it is none of the group.
int PlaceOf(const std::vector<int>& group, int rank);

// What has to be the same on all ranks of a group (a send meets a recv).
struct CollectiveSignature {
  CollectiveKind kind = CollectiveKind::kAllReduce;
  DType dtype = DType::kF32;
  Reduction reduction = Reduction::kSum;
  int32_t peer = 0;
  int64_t count = 0;    // or a hash of counts
  int64_t expects = 0;  // elements that it sends to, or wants from, the one that it meets

  bool Meets(const CollectiveSignature& other) const;
  // "all_reduce sum of 64 F32"
  std::string ToString() const;
};
// As the place `other` is to see it.
CollectiveSignature SignatureOf(const Collective& call, int other);

// Errors of a group, alike in all implementations.
absl::Status LateError(int rank, int late, const Collective& call, std::chrono::milliseconds after);
absl::Status GoneError(int rank, int gone, const Collective& call);
absl::Status DivergedError(int rank, const Collective& mine, int other,
                           const CollectiveSignature& theirs, std::string_view their_where);

}  // namespace ashlar
