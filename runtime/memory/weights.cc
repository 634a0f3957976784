// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/weights.h"

#include "runtime/base/error_code.h"
#include "runtime/base/status.h"
#include "runtime/memory/weight_packer.h"

namespace ashlar {
namespace {

struct Source {
  std::unique_ptr<WeightPacker> packer;
  std::shared_ptr<const Checkpoint> checkpoint;  // none: a seed
};

// The source for this program and directory; checkpoints are compared with what was compiled,
// tensors first, because the name of a tensor says more than a hash.
absl::StatusOr<Source> MakeSource(const Program& program, const std::string& directory, int rank) {
  const fb::ProgramT& metadata = program.metadata();
  Source source;
  if (directory.empty() && metadata.weight_source == fb::WeightSource::Random) {
    auto whole = RandomSource(metadata.random_seed);
    ASHLAR_ASSIGN_OR_RETURN(source.packer, WeightPacker::Create(metadata, *whole, rank));
    return source;
  }
  const std::string& from = directory.empty() ? metadata.weight_directory : directory;
  auto checkpoint = Checkpoint::Open(from);
  if (!checkpoint.ok()) {
    if (!directory.empty()) return checkpoint.status();
    return Annotate(checkpoint.status(),
                    StrCat("the weights of ", program.path(),
                           " lay elsewhere when it was compiled; name their directory"));
  }
  source.checkpoint = *checkpoint;
  auto whole = CheckpointSource(*checkpoint);
  ASHLAR_ASSIGN_OR_RETURN(source.packer, WeightPacker::Create(metadata, *whole, rank));
  if (metadata.checkpoint_hash != 0 && (*checkpoint)->HeaderHash() != metadata.checkpoint_hash)
    return WithCode(
        ErrorCode::kOtherCheckpoint,
        FailedPrecondition(from, ": the safetensors headers are not those that ", program.path(),
                           " was compiled from (expected hash ", std::hex, metadata.checkpoint_hash,
                           ", found ", (*checkpoint)->HeaderHash(),
                           "); compile it again for this checkpoint"));
  return source;
}

}  // namespace

absl::StatusOr<std::string> Weights::VerifyCache(const Program& program,
                                                 const std::string& directory,
                                                 const std::string& cache_directory, int rank) {
  const fb::ProgramT& metadata = program.metadata();
  if ((directory.empty() && metadata.weight_source == fb::WeightSource::Embedded) ||
      metadata.weights_bytes == 0)
    return NotFound(program.path(), " needs no packed weights beside it");
  ASHLAR_ASSIGN_OR_RETURN(Source source, MakeSource(program, directory, rank));
  CacheIdentity identity = CacheIdentity::Of(metadata, source.checkpoint.get(), rank);
  std::string path = cache_directory + "/" + identity.FileName();
  ASHLAR_RETURN_IF_ERROR(
      MapCachedWeights(path, identity, metadata.weights_bytes, /*verify=*/true).status());
  return path;
}

absl::Status Weights::Pack(const WeightPacker& packer, Executor& executor) {
  ASHLAR_ASSIGN_OR_RETURN(region_, MemoryRegion::Allocate(bytes(), "weights"));
  data_ = region_.data();
  packer.PackAll(executor, region_.data());
  return absl::OkStatus();
}

absl::Status Weights::CheckNotCut() const {
  ASHLAR_RETURN_IF_ERROR(program_->file().CheckNotCut());
  return cached_ ? cached_->CheckNotCut() : absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Weights>> Weights::Bind(std::shared_ptr<const Program> program,
                                                             const std::string& directory,
                                                             Executor& executor,
                                                             const CacheOptions& options,
                                                             int rank) {
  const fb::ProgramT& metadata = program->metadata();
  std::shared_ptr<Weights> weights(new Weights(program));
  if (directory.empty() && metadata.weight_source == fb::WeightSource::Embedded) {
    weights->data_ = program->weights().data();
    return std::shared_ptr<const Weights>(weights);
  }
  if (metadata.weights_bytes == 0) return std::shared_ptr<const Weights>(weights);
  ASHLAR_ASSIGN_OR_RETURN(Source source, MakeSource(*program, directory, rank));
  if (options.directory.empty()) {
    ASHLAR_RETURN_IF_ERROR(weights->Pack(*source.packer, executor));
    if (source.checkpoint) ASHLAR_RETURN_IF_ERROR(source.checkpoint->CheckUnchanged());
    return std::shared_ptr<const Weights>(weights);
  }
  CacheIdentity identity = CacheIdentity::Of(metadata, source.checkpoint.get(), rank);
  CacheOutcome& outcome = weights->cache_;
  outcome.path = options.directory + "/" + identity.FileName();
  auto map = [&](bool verify) {
    auto file = MapCachedWeights(outcome.path, identity, metadata.weights_bytes, verify);
    if (!file.ok()) return file.status();
    weights->cached_ = *std::move(file);
    weights->data_ = weights->cached_->bytes().data() + kCacheDataOffset;
    return absl::OkStatus();
  };
  absl::Status status = map(options.verify);
  if (status.ok()) {
    outcome.use = CacheUse::kMapped;
    return std::shared_ptr<const Weights>(weights);
  }
  if (status.code() != absl::StatusCode::kNotFound)
    outcome.note = StrCat(Message(status), "; packed anew");
  ASHLAR_RETURN_IF_ERROR(weights->Pack(*source.packer, executor));
  if (source.checkpoint) ASHLAR_RETURN_IF_ERROR(source.checkpoint->CheckUnchanged());
  status = StoreCachedWeights(outcome.path, identity, {weights->data_, weights->bytes()});
  if (status.ok()) status = map(false);
  if (status.ok()) {
    weights->region_ = MemoryRegion();
    outcome.use = CacheUse::kStored;
  } else {
    outcome.use = CacheUse::kFailed;
    outcome.note += StrCat(outcome.note.empty() ? "" : "; ",
                           "the packed weights are not kept: ", Message(status));
  }
  return std::shared_ptr<const Weights>(weights);
}

}  // namespace ashlar
