// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A collective of an entry made ready for one rank: its group, its addresses, and at each step the
// parts that the ranks hold at the step's extents, packed where they are no runs of bytes. One that
// is started goes on until it is ended, while launches run that leave its operands alone.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "runtime/api/launcher.h"
#include "runtime/communicator/communicator.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

class CollectiveStep {
 public:
  // `schema` is verified and outlives this.
  CollectiveStep(const fb::CollectiveT& schema, int rank, char* arena);

  const fb::CollectiveT& schema() const { return schema_; }

  // Runs it to its end, or, where it is to be started, begins it: End then waits for it, before the
  // step is over. Errors are the communicator's and the launcher's, in whose spaces the data are;
  // null for a program of one rank, whose groups have one member.
  absl::Status Run(const std::vector<int64_t>& dims, Launcher& launcher,
                   Communicator* communicator);
  absl::Status End();

  // For a send or a recv: does it at these extents from or to `whole`, in the host's memory, in
  // place of its own operand.
  absl::Status Deliver(const std::vector<int64_t>& dims, char* whole, Communicator& communicator);

 private:
  // A dimension seen as [outer][extent][inner]; inner in bytes.
  struct Rows {
    int64_t outer = 1, extent = 1, inner = 1;
  };
  Rows RowsOf(const std::vector<int64_t>& shape, size_t axis) const;
  // Copies elements [begin, begin + size) of every outer row between a tensor and one block.
  absl::Status Pack(const Rows& rows, int64_t begin, int64_t size, const char* tensor, char* block);
  absl::Status Unpack(const Rows& rows, int64_t begin, int64_t size, const char* block,
                      char* tensor);

  // Packs what is sent, and starts the call.
  absl::Status Begin();
  absl::Status BeginGather();
  absl::Status BeginScatter();
  absl::Status BeginExchange();
  absl::Status Start(CollectiveKind kind, const char* from, char* to);
  // Unpacks what has come in blocks, one of each rank, that are joined along a dimension.
  absl::Status UnpackBlocks(const Rows& rows, const std::vector<int64_t>& counts);
  Collective Describe(CollectiveKind kind, const char* from, char* to) const;

  const fb::CollectiveT& schema_;
  const int place_;
  const std::vector<int> group_;
  char *input_ = nullptr, *output_ = nullptr, *workspace_ = nullptr;
  int64_t element_bytes_;
  // Of the step.
  Launcher* launcher_ = nullptr;
  Communicator* communicator_ = nullptr;
  std::vector<int64_t> input_shape_, output_shape_, counts_, recv_counts_;
  CollectiveTicket ticket_ = 0;
  const char* received_ = nullptr;  // what End unpacks; null: it lies where it belongs
};

}  // namespace ashlar
