// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How fast a pipeline can be at best, before anything is planned. With p stages and m microbatches,
// each of which takes W seconds of work in all, a step takes at least (m + p - 1) W / p: it is as
// long as m + p - 1 of the slowest stage's turns. W falls with m at best as 1 / m, and where an op
// is bound by reading its weights not at all.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_STAGES_STAGEBOUNDS_H
#define ASHLAR_COMPILER_DISTRIBUTION_STAGES_STAGEBOUNDS_H

#include "dialects/Dist/Sharding.h"
#include "mlir/IR/BuiltinOps.h"

namespace ashlar::distribution {

class StageBounds {
public:
  /// Of a module of whole tensors on a topology's ranks, so many of them; it needs no mesh.
  StageBounds(mlir::ModuleOp module, const dist::Mesh &rank, int64_t ranks);

  /// The most stages that are worth a thought: one per layer, which is where there is attention.
  int64_t getMostStages() const { return layers; }
  /// No step of all entry points takes less on so many stages, even if nothing is ever sent.
  double getLeastSeconds(int64_t stages) const;
  /// What it takes to bring the results to all stages of a mesh.
  double getDeliverySeconds(const dist::Mesh &mesh) const;
  /// What a plan's seconds become at the least, on so many stages of its ranks.
  double getLeastShare(int64_t stages) const {
    return static_cast<double>(microbatches + stages - 1) /
           static_cast<double>(microbatches * stages);
  }

private:
  struct Work {
    int64_t microbatches;
    double seconds; // of one of these, on one rank
  };

  mlir::ModuleOp module;
  int64_t ranks;
  std::vector<double> resultBytes; // per entry point, of the largest result
  int64_t layers = 0;
  int64_t microbatches = 1;            // the most of any entry point
  std::vector<std::vector<Work>> work; // per entry point
};

} // namespace ashlar::distribution

#endif
