// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/stages.h"

#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/program/cut.h"

namespace ashlar {
namespace {

constexpr size_t kMaxStages = 1024;  // each of which is verified as a program

template <typename T>
void Append(const std::vector<std::unique_ptr<T>>& from, std::vector<std::unique_ptr<T>>* to) {
  for (const auto& item : from) to->push_back(std::make_unique<T>(*item));
}

}  // namespace

int PlaceCount(const fb::ProgramT& program) {
  return program.stages.empty() ? 1 : PartCount(program.stage_cuts);
}

int ChunkCount(const fb::ProgramT& program) {
  return program.stages.empty() ? 1 : static_cast<int>(program.stages.size()) / PlaceCount(program);
}

int StageOf(const fb::ProgramT& program, int rank, int chunk) {
  return program.stages.empty() ? 0
                                : chunk * PlaceCount(program) + PartOf(program.stage_cuts, rank);
}

fb::ProgramT ProjectStage(const fb::ProgramT& program, int stage) {
  const fb::StageT& mine = *program.stages[stage];
  fb::ProgramT part;
  part.producer = program.producer;
  Append(program.properties, &part.properties);
  Append(program.dims, &part.dims);
  Append(program.images, &part.images);
  Append(program.kernels, &part.kernels);
  Append(program.weights, &part.weights);
  Append(mine.weights, &part.weights);
  Append(mine.states, &part.states);
  Append(mine.entries, &part.entries);
  part.weights_bytes = mine.weights_bytes;
  part.state_bytes = mine.state_bytes;
  part.weight_source = program.weight_source;
  part.weight_directory = program.weight_directory;
  part.checkpoint_hash = program.checkpoint_hash;
  part.random_seed = program.random_seed;
  Append(program.device_images, &part.device_images);
  Append(program.mesh, &part.mesh);
  return part;
}

absl::Status VerifyStages(const fb::ProgramT& program) {
  const size_t stages = program.stages.size();
  if (stages > kMaxStages)
    return DataLoss(stages, " stages, at most ", kMaxStages, " are expected");
  if (program.stage_cuts.size() != 1 || program.stage_cuts[0].stride() < 1 ||
      program.stage_cuts[0].size() < 1 || stages % program.stage_cuts[0].size() != 0 ||
      RankCount(program) % (static_cast<int64_t>(program.stage_cuts[0].stride()) *
                            static_cast<int64_t>(program.stage_cuts[0].size())) !=
          0)
    return DataLoss(stages, " stages, which are no index of the ", RankCount(program), " ranks");
  const bool constants = std::all_of(program.weights.begin(), program.weights.end(),
                                     [](const auto& weight) { return weight->parts.empty(); });
  if (!program.entries.empty() || !program.states.empty() || !constants ||
      program.weights_bytes > 0 || program.state_bytes > 0)
    return DataLoss("weights, states or entries beside those of the stages");
  const size_t first_last = stages - program.stage_cuts[0].size();
  for (size_t i = 0; i < first_last; ++i)
    for (const auto& entry : program.stages[i]->entries)
      if (!entry->outputs.empty() || entry->deliveries > 0)
        return DataLoss("stage ", i, " gives outputs of entry '", Printable(entry->name),
                        "', which is for the last stage of its ranks");
  for (const auto& stage : program.stages) {
    auto same = [](const auto& one, const auto& other) {
      return one->name == other->name && one->microbatches == other->microbatches &&
             one->batch == other->batch;
    };
    if (!std::equal(stage->entries.begin(), stage->entries.end(),
                    program.stages[0]->entries.begin(), program.stages[0]->entries.end(), same))
      return DataLoss("stages with different entries");
  }
  return absl::OkStatus();
}

}  // namespace ashlar
