// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A step in several parts, one behind the other, each of some of its sequences: while one stage of
// a pipeline works on a part, the stage before it works on the next one. Inputs are cut along the
// batch, outputs put together. A sequence keeps its place in the states however a step is split.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "runtime/api/tensor.h"
#include "runtime/base/status.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

class Microbatches {
 public:
  // Of a verified entry, which outlives this.
  Microbatches(const fb::ProgramT& program, const fb::EntryT& entry, int rank);

  // Splits a step of these extents; returns the number of parts: the entry's, or fewer where the
  // batch does not give each of the ranks that share it a sequence of every part. Allocates nothing
  // once it has split as many sequences.
  size_t Split(const std::vector<int64_t>& dims);
  size_t size() const { return size_; }

  // Where this rank's sequences of a part begin among those that its states have.
  int64_t first_row(size_t part) const { return parts_[part].first_row; }

  // The caller's tensors with the shapes that they have in a part; their data are still the whole
  // ones'. Lasts until the next call.
  const std::vector<Tensor>& Inputs(size_t part, const std::vector<Tensor>& whole);

  // Which elements of a whole input, whose shape is given, are a part's, in their order: calls
  // `run(begin, count)` for each run of them; stops at the first error.
  template <typename Visit>
  absl::Status VisitRuns(size_t part, size_t input, const std::vector<int64_t>& shape,
                         Visit run) const;

  // Copies an output of a part to its place in the whole one, whose extents are `dims`.
  void Collect(size_t part, size_t output, const std::vector<int64_t>& dims, const char* from,
               char* to) const;

 private:
  struct Run {
    int64_t begin, size;
  };
  struct Part {
    std::vector<Run> runs;  // of the batch; one after the other they are the part's sequences
    int64_t rows = 0, first_row = 0;
  };
  // Splits so that every rank's part of each part is what it holds of it; false where none is.
  bool TrySplit(int64_t rows, int parts);
  static std::pair<int64_t, int64_t> Around(const std::vector<int64_t>& shape, int axis);

  const fb::EntryT& entry_;
  const std::vector<fb::Cut>* cuts_ = nullptr;  // how ranks share the sequences of states
  int place_ = 0;
  std::vector<int> input_axes_, output_axes_;  // -1: as it is in every part
  std::vector<fb::Cut> split_;                 // of a rank's sequences into parts
  std::vector<Part> parts_;                    // the first size_ of them, and room of earlier steps
  size_t size_ = 1;
  std::vector<Tensor> inputs_;
};

template <typename Visit>
absl::Status Microbatches::VisitRuns(size_t part, size_t input, const std::vector<int64_t>& shape,
                                     Visit run) const {
  const int axis = input_axes_[input];
  const auto [outer, inner] = Around(shape, axis);
  if (axis < 0) return run(int64_t{0}, outer);
  for (int64_t o = 0; o < outer; ++o)
    for (const Run& rows : parts_[part].runs)
      ASHLAR_RETURN_IF_ERROR(run((o * shape[axis] + rows.begin) * inner, rows.size * inner));
  return absl::OkStatus();
}

}  // namespace ashlar
