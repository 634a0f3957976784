// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the tensors that a caller passes to the extents of a step and the bytes of its inputs.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "runtime/api/microbatches.h"
#include "runtime/api/tensor.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// For one entry of a verified program. Holds no tensors; allocates only for error messages once it
// is constructed.
class InputValues {
 public:
  InputValues(const fb::ProgramT& program, const fb::EntryT& entry, int rank = 0);

  // Matches the tensors with the entry's inputs and finds every dim from their shapes: sets dims[i]
  // for each of program.dims. Dims that no given tensor has take their value if their bounds leave
  // but one; others that the entry needs are an error. Errors: an unknown or repeated name, a
  // missing required input, a wrong rank, extents that disagree, a dim out of its bounds
  // (OutOfRange), a data pointer that is null or inside [arena, arena + bytes).
  absl::Status Solve(const std::vector<Tensor>& tensors, const char* arena, uint64_t arena_bytes,
                     std::vector<int64_t>* dims);

  // After Solve: writes every input into the arena, converted to its dtype, and defaults where none
  // is given. Errors: elements that cannot be converted or lie outside the input's minimum and
  // maximum.
  absl::Status Fill(const std::vector<Tensor>& tensors, const std::vector<int64_t>& dims,
                    char* arena) const;

  // The same for a microbatch, with `dims` of its own, of the whole `tensors`.
  absl::Status FillPart(const std::vector<Tensor>& tensors, const Microbatches& microbatches,
                        size_t part, const std::vector<int64_t>& dims, char* arena) const;

 private:
  absl::Status Match(const std::vector<Tensor>& tensors);
  absl::Status SetDim(uint16_t dim, int64_t extent, size_t input, std::vector<int64_t>* dims);
  absl::Status CheckShape(size_t input, const Tensor& tensor,
                          const std::vector<int64_t>& dims) const;
  template <typename Convert>
  absl::Status FillAll(const std::vector<Tensor>& tensors, const std::vector<int64_t>& dims,
                       char* arena, Convert convert) const;
  absl::Status CheckElements(const fb::ValueT& value, const char* data, int64_t count,
                             const std::vector<int64_t>& dims) const;

  const fb::ProgramT& program_;
  const fb::EntryT& entry_;
  const int rank_;
  std::vector<bool> used_;       // per dim: the entry needs it
  std::vector<int> given_;       // per input: the tensor's index, -1 when left out
  std::vector<int> dim_source_;  // per dim: the input that gave it, -1 when none has
};

}  // namespace ashlar
