// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A communicator of NCCL's between the ranks of a group, and our calls as its own. Nothing here
// waits for other ranks: what NCCL has begun is asked for with IsSettled.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/communicator/communicator.h"
#include "runtime/communicator/nccl_library.h"
#include "runtime/device/cuda/driver.h"

namespace ashlar::nccl {

class Group {
 public:
  // Calls go to `stream`, which outlives this.
  Group(std::shared_ptr<const Library> library, std::shared_ptr<const cuda::Driver> driver,
        std::vector<int> ranks, int rank, CUstream_st* stream);
  // Leaves; waits for the others of this host, at most as long as it takes to tell that they do
  // not leave.
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  const std::vector<int>& ranks() const { return ranks_; }

  // Begins to join the ranks that have this id.
  absl::Status Begin(const UniqueId& id);
  // Whether NCCL is through with the last call (then the stream has it), or its error.
  absl::StatusOr<bool> IsSettled() const;
  // Ends what is under way, on the device too.
  void Abort();

  // A collective of this group, on device memory.
  absl::Status Issue(const Collective& call);
  // Sends and receipts between pairs of these ranks, all at once.
  absl::Status IssueMessages(const std::vector<const Collective*>& messages);

 private:
  absl::Status Check(int error, std::string_view what) const;
  // Calls within `body` are one to NCCL.
  template <typename Body>
  absl::Status Together(Body body);
  absl::Status Send(const void* in, int64_t bytes, int place);
  absl::Status Receive(void* out, int64_t bytes, int place);
  absl::Status Copy(void* to, const void* from, int64_t bytes);
  absl::Status ReduceScatter(const Collective& call);
  absl::Status AllGather(const Collective& call);
  absl::Status AllToAll(const Collective& call);
  absl::Status Permute(const Collective& call);
  void Leave(bool aborts);

  std::shared_ptr<const Library> library_;
  std::shared_ptr<const cuda::Driver> driver_;
  const std::vector<int> ranks_;
  const int place_;
  CUstream_st* stream_;
  ncclComm* comm_ = nullptr;
};

}  // namespace ashlar::nccl
