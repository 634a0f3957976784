// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/weights.h"

#include "runtime/base/status.h"
#include "runtime/memory/weight_packer.h"

namespace ashlar {
namespace {

// The source for this program and directory; checkpoints are compared with what was compiled,
// tensors first, because the name of a tensor says more than a hash.
absl::StatusOr<std::unique_ptr<WeightPacker>> MakePacker(const Program& program,
                                                         const std::string& directory) {
  const fb::ProgramT& metadata = program.metadata();
  if (directory.empty() && metadata.weight_source == fb::WeightSource::Random)
    return WeightPacker::Create(metadata, *RandomSource(metadata.random_seed));
  const std::string& from = directory.empty() ? metadata.weight_directory : directory;
  auto checkpoint = Checkpoint::Open(from);
  if (!checkpoint.ok()) {
    if (!directory.empty()) return checkpoint.status();
    return Annotate(checkpoint.status(),
                    StrCat("the weights of ", program.path(),
                           " lay elsewhere when it was compiled; name their directory"));
  }
  ASHLAR_ASSIGN_OR_RETURN(auto packer,
                          WeightPacker::Create(metadata, *CheckpointSource(*checkpoint)));
  if (metadata.checkpoint_hash != 0 && (*checkpoint)->HeaderHash() != metadata.checkpoint_hash)
    return FailedPrecondition(from, ": the safetensors headers are not those that ", program.path(),
                              " was compiled from (expected hash ", std::hex,
                              metadata.checkpoint_hash, ", found ", (*checkpoint)->HeaderHash(),
                              "); compile it again for this checkpoint");
  return packer;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Weights>> Weights::Bind(std::shared_ptr<const Program> program,
                                                             const std::string& directory,
                                                             ThreadPool& pool) {
  const fb::ProgramT& metadata = program->metadata();
  std::shared_ptr<Weights> weights(new Weights(program));
  if (directory.empty() && metadata.weight_source == fb::WeightSource::Embedded) {
    weights->data_ = program->weights().data();
    return std::shared_ptr<const Weights>(weights);
  }
  if (metadata.weights_bytes == 0) return std::shared_ptr<const Weights>(weights);
  ASHLAR_ASSIGN_OR_RETURN(auto packer, MakePacker(*program, directory));
  ASHLAR_ASSIGN_OR_RETURN(weights->region_,
                          MemoryRegion::Allocate(metadata.weights_bytes, "weights"));
  weights->data_ = weights->region_.data();
  packer->PackAll(pool, weights->region_.data());
  return std::shared_ptr<const Weights>(weights);
}

}  // namespace ashlar
