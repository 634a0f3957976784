// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program made ready for this machine, once for all its sessions: the machine code that suits the
// CPU, in executable pages, and the weights, bound. What is left for a session is its own memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/log.h"
#include "runtime/device/cpu/executable_image.h"
#include "runtime/device/cpu/executor.h"
#include "runtime/memory/weights.h"
#include "runtime/program/program.h"

namespace ashlar {

struct BindOptions {
  // What is demanded of an artifact that is loaded (trust.h).
  TrustPolicy trust;
  // Where the checkpoint lies, in place of where the artifact says.
  std::string weights_directory;
  // Where packed weights are kept between runs (weights_cache.h); weights()->cache() tells what
  // came of it.
  CacheOptions cache;
  // What runs the kernels: "cpu", "cuda" (a GPU, SessionOptions::gpu) or "cuda-emulator".
  std::string device = "cpu";
  // Of a program for several ranks: the one that this process runs; -1: all of them.
  int rank = -1;
  // Packs the weights; none: threads for the purpose, `threads` of them (0: one per core).
  std::shared_ptr<Executor> executor;
  int threads = 0;
  // Is told what takes a while, and what went wrong with the cache.
  LogSink log;
};

// Immutable, so shared by any number of sessions and threads.
class BoundProgram {
 public:
  // Errors: those of Program::Load and Weights::Bind; FailedPrecondition when the machine cannot
  // run the code.
  static absl::StatusOr<std::shared_ptr<const BoundProgram>> Load(const std::string& path,
                                                                  const BindOptions& options);
  static absl::StatusOr<std::shared_ptr<const BoundProgram>> Bind(
      std::shared_ptr<const Program> program, const BindOptions& options);

  // As this rank runs it (Program::ForRank).
  const Program& program() const { return *program_; }
  int rank() const { return rank_; }
  // Where this process runs all ranks: the others, rank 1 first.
  const std::vector<std::shared_ptr<const BoundProgram>>& peers() const { return peers_; }
  // Of a rank that has several stages of a pipeline: all but the last, which is this one.
  const std::vector<std::shared_ptr<const BoundProgram>>& earlier_stages() const {
    return earlier_;
  }
  const Weights& weights() const { return *weights_; }
  const std::string& device() const { return device_; }
  // For the device "cpu": its machine code, and what the metadata say of it.
  const ExecutableImage& image() const { return *image_; }
  const fb::ImageT& layout() const { return *program_->metadata().images[image_index_]; }
  // The --cpu name of the machine code in use, "emulator" or "cuda".
  std::string code_name() const;

 private:
  explicit BoundProgram(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  absl::Status Prepare(const BindOptions& options);
  absl::Status ChooseCode();
  absl::Status BindPeers(const BindOptions& options);
  absl::Status BindEarlierStages(const BindOptions& options);

  std::shared_ptr<const Program> program_;
  std::string device_;
  int rank_ = 0;
  std::vector<std::shared_ptr<const BoundProgram>> peers_, earlier_;
  int image_index_ = 0;
  std::shared_ptr<const ExecutableImage> image_;
  std::shared_ptr<const Weights> weights_;
};

}  // namespace ashlar
