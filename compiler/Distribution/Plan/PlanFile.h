// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The plan: which tensor lies how, as text that people write, compare and load again.
//
//   mesh dp=2 tp=4 on nvlink
//   microbatches 8    of a step, at the most, where the mesh has an axis pp; may be left out
//   chunks 2          stages of each rank, whose schedule is then interleaved; may be left out
//   # the first line whose pattern matches a path says how that tensor lies
//   input_ids                       [{dp}, {}]
//   layers.*.self_attn.?_proj.weight [{tp}, {}]
//   layers.*.o_proj.weight          [{}, {tp}]
//   layers.*.add                    [{dp}, {tp}, {}] priority 1
//
// Patterns are globs over the paths of values, states and results (`result:logits`), which entry
// points share; `decode:result:logits` is that of one. Pins of priority 0 are propagated before
// those of priority 1 speak.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PLAN_PLANFILE_H
#define ASHLAR_COMPILER_DISTRIBUTION_PLAN_PLANFILE_H

#include "compiler/Distribution/Shardings.h"
#include "dialects/Dist/Sharding.h"
#include "mlir/IR/BuiltinOps.h"

namespace ashlar::distribution {

struct PlanLine {
  unsigned number; // in the file, from 1
  std::string pattern;
  dist::Sharding sharding;
  int64_t priority = 0;
  bool isOptional = false; // may match nothing, or tensors of another rank
};

/// Of a mesh.
inline constexpr int64_t kMostRanks = 1 << 20;

struct Plan {
  std::string topology;
  dist::Mesh mesh;
  int64_t microbatches = 0; // 0: as many as are fastest
  int64_t chunks = 1;       // stages of each rank
  std::vector<PlanLine> lines;
};

/// Reads a plan; an error names the line and what is wrong with it.
llvm::Expected<Plan> parsePlan(llvm::StringRef text);

/// Makes the mesh (an error where the module has a different one) and pins the tensors that the
/// plan names. A line that matches nothing, or a tensor of another rank, is an error at the module
/// that names `file` and the line.
mlir::LogicalResult applyPlan(const Plan &plan, llvm::StringRef file, mlir::ModuleOp module);

/// Writes what the module's attributes say: every tensor that has a sharding, one that leaves it
/// whole too, states first, then each function's in its order. Loading it gives the same
/// attributes, closed and pinned, but for paths that two tensors of a function share: they lie as
/// the first.
std::string writePlan(mlir::ModuleOp module, llvm::StringRef topology);
/// The same of these shardings, with why each is as it is for a comment: propagation's reason, or
/// one of these.
struct PlanReasons {
  std::string ofPinned, otherwise;
};
std::string writePlan(const Shardings &shardings, llvm::StringRef topology,
                      const std::optional<PlanReasons> &reasons = std::nullopt);

} // namespace ashlar::distribution

#endif
