// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a partitioned module will take on each rank, as the cost model has it.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PLAN_REPORT_H
#define ASHLAR_COMPILER_DISTRIBUTION_PLAN_REPORT_H

#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>
#include <vector>

namespace ashlar::distribution {

/// Equal collectives of an entry point.
struct CollectiveLine {
  std::string op, axes; // `all_reduce`, `tp`
  double bytes = 0;     // of one, on a rank, at the bounds of dimensions
  double seconds = 0;   // of one; a message's is its send's, and a recv has none
  int64_t count = 0;
  std::string path; // of the first
};

/// A part of a step's time: a collective, or what is computed up to the next one.
struct TimelineStep {
  std::string what; // the collective's op, or `compute`
  std::string axes; // of a collective
  std::string path; // of the first op
  int64_t ops = 1;
  double bytes = 0; // of a collective, on a rank
  double begin = 0, seconds = 0;
};

struct EntryReport {
  std::string name;
  std::string entry;            // the entry point that it is, or that it is a stage of
  std::optional<int64_t> stage; // of a pipeline
  double seconds = 0;           // of a step at the bounds; a stage's share where it runs whole
  double computeSeconds = 0, collectiveSeconds = 0; // what is in it, also at the same time
  std::vector<CollectiveLine> collectives;          // in the order of the first of each kind
  std::vector<TimelineStep> timeline; // a rank's step: arithmetic, and what is on its link
  double getHiddenSeconds() const { return computeSeconds + collectiveSeconds - seconds; }
};

/// One report per entry point of a partitioned, unfused module, or per stage of it.
std::vector<EntryReport> reportEntries(mlir::ModuleOp module);

/// A step of an entry point, of all its stages together.
struct StepReport {
  std::string entry;
  double seconds = 0; // of a pipeline: of its schedule (Stages/Microbatches.h), with its deliveries
  double collectiveSeconds = 0; // of all stages
  int64_t stages = 1, microbatches = 1;
};
std::vector<StepReport> reportSteps(mlir::ModuleOp module);

} // namespace ashlar::distribution

#endif
