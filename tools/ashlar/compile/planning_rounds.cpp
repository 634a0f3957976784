// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/compile/planning_rounds.h"

using namespace mlir;

namespace ashlar {

bool planInRounds(int64_t memory, std::vector<distribution::MeshChoice>* meshes,
                  CompilerContext& compiler, PlanRound plan, RoundReport report) {
  const bool is_quiet = compiler.is_quiet;
  PlanningRoom room(memory);
  for (int round = 0; round < kPlanningRounds; ++round) {
    compiler.is_quiet = is_quiet || round > 0;  // the limits of later rounds are nobody's
    FailureOr<int64_t> excess = plan(room.getBytes(), /*is_first=*/round == 0);
    compiler.is_quiet = is_quiet;
    if (succeeded(excess) ? *excess == 0 : round == 0) return true;
    if (meshes) {
      if (failed(excess)) return false;  // their search has looked for more room itself
      meshes->front().shrink(*excess);
    } else {
      succeeded(excess) ? room.shrink(*excess) : room.grow();
    }
    report(excess, (meshes ? meshes->front().room : room).getBytes());
  }
  return false;
}

}  // namespace ashlar
