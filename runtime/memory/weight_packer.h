// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Brings a program's weights from the order of the checkpoint into the layouts that kernels read
// (artifact.fbs, Layout): parts are concatenated, transposed, converted, cut into panels and padded
// with zeros.
//
//   Plain       row-major, parts one after the other, transposed on the way where they are stored
//   so PanelF32    element (k, n) at [n / 32][k][n % 32]; N padded to 32 PanelBF16   element (k, n)
//   at [n / 16][k / 2][n % 16][k % 2]; K padded to 2, N to 32
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/device/cpu/executor.h"
#include "runtime/memory/tensor_source.h"
#include "runtime/program/artifact_generated.h"
#include "runtime/program/artifact_writer.h"

namespace ashlar {

// The work of packing, cut into units that write disjoint bytes (256 columns of a panel weight, 64
// Ki elements of a plain one), so that any thread may do any unit.
class WeightPacker {
 public:
  // Opens every part of every weight that the rank holds (the program is verified and outlives the
  // packer): all that can fail, fails here. `source` gives whole tensors of the checkpoint.
  static absl::StatusOr<std::unique_ptr<WeightPacker>> Create(const fb::ProgramT& program,
                                                              const TensorSource& source,
                                                              int rank = 0);

  // A run of one weight's bytes: [offset, offset + bytes) of the weights region.
  struct Unit {
    int weight;
    int64_t index;
    uint64_t offset;
    uint64_t bytes;
  };
  // In the order of their offsets.
  const std::vector<Unit>& units() const { return units_; }

  // Writes the unit's bytes, padding included, to `out`, which is a multiple of 64 bytes.
  void Pack(const Unit& unit, char* out) const;

  // Writes all units to their places in the weights region at `out`, by the executor.
  void PackAll(Executor& executor, char* out) const;

 private:
  struct Part {
    const fb::WeightPartT* schema;
    std::unique_ptr<TensorReader> reader;
    int64_t begin, end;  // columns of a panel weight, elements of a plain one
  };
  struct Weight {
    const fb::WeightT* schema;
    std::vector<Part> parts;
  };

  WeightPacker() = default;
  void AddUnits(int weight);
  void PackPlain(const Weight& weight, int64_t begin, int64_t count, char* out) const;
  void PackTransposed(const Weight& weight, const Part& part, int64_t first, int64_t last,
                      char* out) const;

  std::vector<Weight> weights_;
  std::vector<Unit> units_;
};

// Streams the whole weights region, program.weights_bytes bytes, into the sink, packed by the
// executor; holds at most about `buffer_bytes` of it (one unit, where that is larger). For
// artifacts with embedded weights:
//
//   WriteArtifact(path, program, code, constants,
//                 [&](const ByteSink& sink) { return PackWeights(program, *source, executor, sink);
//                 });
absl::Status PackWeights(const fb::ProgramT& program, const TensorSource& source,
                         Executor& executor, const ByteSink& sink,
                         uint64_t buffer_bytes = uint64_t{64} << 20);

}  // namespace ashlar
