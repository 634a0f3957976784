// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A collective of an entry made ready for one rank: its group, its addresses, and at each step the
// parts that the ranks hold at the step's extents, packed where they are no runs of bytes.
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

  uint32_t before() const { return schema_.before; }

  // Errors are the communicator's and the launcher's, in whose spaces the data are; null for a
  // program of one rank, whose groups have one member.
  absl::Status Run(const std::vector<int64_t>& dims, Launcher& launcher,
                   Communicator* communicator);

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

  absl::Status Gather();
  absl::Status Scatter();
  absl::Status Exchange();
  absl::Status Issue(CollectiveKind kind, const char* from, char* to);
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
};

}  // namespace ashlar
