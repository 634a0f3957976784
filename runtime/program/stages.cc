// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/stages.h"

#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/program/cut.h"

namespace ashlar {

int StageOf(const fb::ProgramT& program, int rank) {
  return program.stages.empty() ? 0 : PartOf(program.stage_cuts, rank);
}

fb::ProgramT ProjectStage(const fb::ProgramT& program, int stage) {
  fb::ProgramT part(program);
  fb::StageT mine = std::move(*part.stages[stage]);
  part.stages.clear();
  part.stage_cuts.clear();
  std::move(mine.weights.begin(), mine.weights.end(), std::back_inserter(part.weights));
  part.states = std::move(mine.states);
  part.entries = std::move(mine.entries);
  part.weights_bytes = mine.weights_bytes;
  part.state_bytes = mine.state_bytes;
  return part;
}

absl::Status VerifyStages(const fb::ProgramT& program) {
  const size_t stages = program.stages.size();
  if (program.stage_cuts.size() != 1 || program.stage_cuts[0].stride() < 1 ||
      program.stage_cuts[0].size() != stages ||
      RankCount(program) % (static_cast<int64_t>(program.stage_cuts[0].stride()) *
                            static_cast<int64_t>(stages)) !=
          0)
    return DataLoss(stages, " stages, which are no index of the ", RankCount(program), " ranks");
  const bool constants = std::all_of(program.weights.begin(), program.weights.end(),
                                     [](const auto& weight) { return weight->parts.empty(); });
  if (!program.entries.empty() || !program.states.empty() || !constants ||
      program.weights_bytes > 0 || program.state_bytes > 0)
    return DataLoss("weights, states or entries beside those of the stages");
  for (const auto& stage : program.stages) {
    auto same = [](const auto& one, const auto& other) { return one->name == other->name; };
    if (!std::equal(stage->entries.begin(), stage->entries.end(),
                    program.stages[0]->entries.begin(), program.stages[0]->entries.end(), same))
      return DataLoss("stages with different entries");
  }
  return absl::OkStatus();
}

}  // namespace ashlar
