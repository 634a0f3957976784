// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/compile/mesh_options.h"

#include "compiler/Distribution/Plan/PlanFile.h"
#include "dialects/Dist/Dist.h"
#include "llvm/Support/MemoryBuffer.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

namespace ashlar {

void addMeshOptions(Options& parser, DistributionOptions& ranks, int64_t& devices) {
  parser.Add("--mesh", "AXIS=N,...",
             "ranks that share the model: dp=2,tp=4 (dp: sequences, sp: positions, tp: heads,\n"
             "features and vocabulary, pp: stages of layers; other axes want a --plan)",
             &ranks.mesh);
  parser.Add("--plan", "FILE", "which tensor lies how on the mesh, and its mesh", &ranks.plan);
  parser.Add(
      "--microbatches", "N",
      "of a pipeline's step, at the most: one stage works on a\n"
      "microbatch while another works on the next (default: as the plan says, or as many as\n"
      "are fastest)",
      &ranks.microbatches, dist::kMostMicrobatches);
  parser.Add("--chunks", "N",
             "stages of each rank of a pipeline, whose schedule is then interleaved: less of a\n"
             "step is spent filling the pipeline, and more is sent (default: as the plan says, or\n"
             "one)",
             &ranks.chunks, dist::kMostChunks);
  parser.Add("--devices", "N", "so many ranks, with --auto", &devices, distribution::kMostRanks);
  parser.Add("--auto", "choose how tensors lie, and with --devices the mesh: of dp, tp and pp",
             &ranks.isAutomatic);
  parser.Add("--topology", "host|nvlink|nvlink-ib",
             "what the ranks are connected by (default: host)", &ranks.topology);
}

std::string checkMeshOptions(const DistributionOptions& ranks, int64_t devices) {
  const bool isSearched = devices > 0;
  if (!ranks.mesh.empty() + !ranks.plan.empty() + isSearched > 1)
    return "--mesh, --plan and --devices each say what the mesh is; take one";
  if (isSearched && !ranks.isAutomatic)
    return "--devices without --auto; --mesh dp=N or tp=N says how to share";
  if (ranks.isAutomatic && !ranks.isDistributed() && !isSearched)
    return "--auto wants --devices N, --mesh or --plan";
  if (ranks.microbatches > 0 && !ranks.isDistributed() && devices <= 1)
    return "--microbatches takes a number from 1 on, with --mesh, --plan or --devices";
  if (ranks.chunks > 0 && !ranks.isDistributed())
    return "--chunks takes a number from 1 on, with --mesh or --plan";
  return "";
}

absl::Status readPlan(DistributionOptions& ranks) {
  if (ranks.plan.empty()) return absl::OkStatus();
  auto text = llvm::MemoryBuffer::getFile(ranks.plan);
  if (!text)
    return WithCode(ErrorCode::kBadPlan, NotFound("cannot read the plan '", ranks.plan,
                                                  "': ", text.getError().message()));
  ranks.planText = (*text)->getBuffer().str();
  if (llvm::StringRef(ranks.planText).trim().empty())
    return WithCode(ErrorCode::kBadPlan, InvalidArgument("the plan '", ranks.plan, "' is empty"));
  return absl::OkStatus();
}

}  // namespace ashlar
