// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program's weights in memory, as its kernels read them.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/device/cpu/executor.h"
#include "runtime/memory/memory_region.h"
#include "runtime/memory/weight_packer.h"
#include "runtime/memory/weights_cache.h"
#include "runtime/program/program.h"

namespace ashlar {

// Immutable once bound, so shared by any number of sessions of the program.
class Weights {
 public:
  // Binds what the artifact says: its embedded section (mapped, not copied), tensors made of its
  // seed, or the checkpoint in the directory that it remembers, packed by the executor. A
  // `directory` that is not empty is read in place of any of these. Errors: NotFound or
  // InvalidArgument that name the directory or the tensor with what was expected and found;
  // FailedPrecondition when the checkpoint's headers are not those that were compiled. With a
  // cache, packed weights are mapped from there where they are, else stored there; whatever goes
  // wrong with the cache is no error (cache()). Of tensors that ranks share it is the part that
  // `rank` holds; nothing else of them is read.
  static absl::StatusOr<std::shared_ptr<const Weights>> Bind(std::shared_ptr<const Program> program,
                                                             const std::string& directory,
                                                             Executor& executor,
                                                             const CacheOptions& cache = {},
                                                             int rank = 0);

  // Reads the packed weights that a cache holds for this program, which is the rank's
  // (Program::ForRank), and compares them with their hash; returns their file. Errors: NotFound
  // where there are none, DataLoss that names the file.
  static absl::StatusOr<std::string> VerifyCache(const Program& program,
                                                 const std::string& directory,
                                                 const std::string& cache_directory, int rank = 0);

  // The weights region, program.weights_bytes bytes; page-aligned.
  const char* data() const { return data_; }
  uint64_t bytes() const { return program_->metadata().weights_bytes; }
  // Whether the bytes are a file's, the artifact's own or the cache's: in the page cache and shared
  // with other processes.
  bool mapped() const { return region_.bytes() == 0; }
  // Error when a mapped file was found cut: kernels have read zeros in place of weights.
  absl::Status CheckNotCut() const;
  // What the cache did.
  const CacheOutcome& cache() const { return cache_; }
  const Program& program() const { return *program_; }

 private:
  explicit Weights(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

  // Packs all of it into a region of its own.
  absl::Status Pack(const WeightPacker& packer, Executor& executor);

  std::shared_ptr<const Program> program_;
  MemoryRegion region_;
  std::shared_ptr<const MappedFile> cached_;
  CacheOutcome cache_;
  const char* data_ = nullptr;
};

}  // namespace ashlar
