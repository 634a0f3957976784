// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A step in several parts, one behind the other, each of some of its sequences: while one stage of
// a pipeline works on a part, the stage before it works on the next one. Inputs are cut along the
// batch, outputs put together. A sequence keeps its place in the states however a step is split.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/api/tensor.h"
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

  // What of the caller's tensors belongs to a part: views of them, or of copies that last until the
  // next call.
  const std::vector<Tensor>& Inputs(size_t part, const std::vector<Tensor>& whole);

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

  const fb::EntryT& entry_;
  const std::vector<fb::Cut>* cuts_ = nullptr;  // how ranks share the sequences of states
  int place_ = 0;
  std::vector<int> input_axes_, output_axes_;  // -1: as it is in every part
  std::vector<fb::Cut> split_;                 // of a rank's sequences into parts
  std::vector<Part> parts_;                    // the first size_ of them, and room of earlier steps
  size_t size_ = 1;
  std::vector<Tensor> inputs_;
  std::vector<std::vector<char>> copies_;
};

}  // namespace ashlar
