// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the elements of a program's weights come from: a checkpoint or a seed.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "runtime/base/dtype.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// Reads the elements of one tensor, in the order in which the checkpoint stores them. Usable from
// any thread.
class TensorReader {
 public:
  virtual ~TensorReader() = default;
  // Writes elements [begin, begin + count), which exist, converted to `to` (any alignment).
  virtual void Read(int64_t begin, int64_t count, DType to, void* out) const = 0;
  // The elements where they lie, when they are of type `to` there; null when Read has to make them.
  virtual const void* Data(DType to) const { return nullptr; }
  // The same of a matrix with this many columns, whose rows need not follow each other: one begins
  // `*pitch` elements behind the one before.
  virtual const void* Rows(DType to, int64_t columns, int64_t* pitch) const {
    *pitch = columns;
    return Data(to);
  }
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  // Returns a reader of the part's tensor, or an error that names the tensor, what was expected and
  // what was found.
  virtual absl::StatusOr<std::unique_ptr<TensorReader>> Open(const fb::WeightPartT& part) const = 0;
};

// Tensors of a checkpoint: each must be there with the dtype and shape that the part expects.
std::unique_ptr<TensorSource> CheckpointSource(std::shared_ptr<const Checkpoint> checkpoint);

// One tensor in memory: every part's elements lie at `data`, of the dtype that the part expects.
std::unique_ptr<TensorSource> MemorySource(const void* data);

// Tensors made of a seed as each part's init says: None and Zeros are 0, Ones is 1, Normal is scale
// * RandomNormal, rounded to the part's dtype first, as if it had been stored.
std::unique_ptr<TensorSource> RandomSource(uint64_t seed);

}  // namespace ashlar
