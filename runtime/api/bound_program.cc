// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/bound_program.h"

#include <algorithm>

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/device/cpu/cpu_features.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/program/cut.h"

namespace ashlar {
namespace {

constexpr uint64_t kNotable = uint64_t{512} << 20;  // bytes that take a while to pack

void LogCache(const CacheOutcome& outcome, const LogSink& log) {
  if (!outcome.note.empty()) log(LogLevel::kWarning, outcome.note);
  if (outcome.use == CacheUse::kMapped)
    log(LogLevel::kInfo, StrCat("weights: mapped from ", outcome.path));
  if (outcome.use == CacheUse::kStored)
    log(LogLevel::kInfo, StrCat("weights: packed and kept in ", outcome.path));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const BoundProgram>> BoundProgram::Load(const std::string& path,
                                                                       const BindOptions& options) {
  ASHLAR_ASSIGN_OR_RETURN(auto program, Program::Load(path, options.trust));
  return Bind(std::move(program), options);
}

absl::StatusOr<std::shared_ptr<const BoundProgram>> BoundProgram::Bind(
    std::shared_ptr<const Program> program, const BindOptions& options) {
  if (options.threads < 0 || options.threads > ThreadPool::kMaxThreads)
    return InvalidArgument("threads: expected 0..", ThreadPool::kMaxThreads, ", found ",
                           options.threads);
  const int ranks = RankCount(program->metadata());
  if (options.rank >= ranks)
    return InvalidArgument("rank ", options.rank, " of a program for ", ranks);
  const int rank = std::max(options.rank, 0);
  std::shared_ptr<BoundProgram> bound(new BoundProgram(Program::ForRank(std::move(program), rank)));
  bound->rank_ = rank;
  ASHLAR_RETURN_IF_ERROR(bound->Prepare(options));
  ASHLAR_RETURN_IF_ERROR(bound->BindEarlierStages(options));
  if (ranks > 1 && options.rank < 0) ASHLAR_RETURN_IF_ERROR(bound->BindPeers(options));
  return std::shared_ptr<const BoundProgram>(std::move(bound));
}

absl::Status BoundProgram::BindPeers(const BindOptions& options) {
  const int ranks = RankCount(program_->metadata());
  for (int rank = 1; rank < ranks; ++rank) {
    std::shared_ptr<BoundProgram> peer(new BoundProgram(Program::ForRank(program_, rank)));
    peer->rank_ = rank;
    peer->image_ = image_;
    ASHLAR_RETURN_IF_ERROR(peer->Prepare(options));
    ASHLAR_RETURN_IF_ERROR(peer->BindEarlierStages(options));
    peers_.push_back(std::move(peer));
  }
  return absl::OkStatus();
}

absl::Status BoundProgram::BindEarlierStages(const BindOptions& options) {
  for (int chunk = 0; chunk + 1 < program_->chunks(); ++chunk) {
    std::shared_ptr<BoundProgram> stage(
        new BoundProgram(Program::ForChunk(program_, rank_, chunk)));
    stage->rank_ = rank_;
    stage->image_ = image_;
    ASHLAR_RETURN_IF_ERROR(stage->Prepare(options));
    earlier_.push_back(std::move(stage));
  }
  return absl::OkStatus();
}

std::string BoundProgram::code_name() const {
  return device_ == "cpu" ? layout().cpu : device_ == "cuda" ? "cuda" : "emulator";
}

absl::Status BoundProgram::ChooseCode() {
  const fb::ProgramT& metadata = program_->metadata();
  if (device_ == "cuda" || device_ == "cuda-emulator") return absl::OkStatus();
  if (device_ != "cpu")
    return InvalidArgument("no device '", device_, "'; there are cpu, cuda and cuda-emulator");
  if (!metadata.device_images.empty()) {
    std::vector<std::string_view> archs;
    for (const auto& image : metadata.device_images) archs.push_back(image->arch);
    return WithCode(
        ErrorCode::kNoCodeForMachine,
        FailedPrecondition(program_->path(), ": compiled for CUDA (", StrJoin(archs, ", "),
                           "), not for a CPU; run it with --device cuda or "
                           "cuda-emulator, or compile it with --target cpu"));
  }
  auto image_index = ChooseImage(metadata.images, HostFeatures());
  if (!image_index.ok())
    return WithCode(ErrorCode::kNoCodeForMachine, Annotate(image_index.status(), program_->path()));
  image_index_ = *image_index;
  if (image_) return absl::OkStatus();  // another rank's
  ASHLAR_ASSIGN_OR_RETURN(
      image_, ExecutableImage::Create(program_->code().substr(layout().offset, layout().size)));
  return absl::OkStatus();
}

absl::Status BoundProgram::Prepare(const BindOptions& options) {
  const fb::ProgramT& metadata = program_->metadata();
  device_ = options.device;
  ASHLAR_RETURN_IF_ERROR(ChooseCode());
  const bool packs =
      metadata.weight_source != fb::WeightSource::Embedded || !options.weights_directory.empty();
  if (options.log && packs && options.cache.directory.empty() && metadata.weights_bytes >= kNotable)
    options.log(LogLevel::kInfo, StrCat("packing ", metadata.weights_bytes >> 20,
                                        " MiB of weights; a cache would keep them"));
  std::shared_ptr<Executor> executor = options.executor;
  if (!executor) executor = std::make_shared<ThreadPool>(options.threads);
  ASHLAR_ASSIGN_OR_RETURN(weights_, Weights::Bind(program_, options.weights_directory, *executor,
                                                  options.cache, rank_));
  if (options.log) LogCache(weights_->cache(), options.log);
  return absl::OkStatus();
}

}  // namespace ashlar
