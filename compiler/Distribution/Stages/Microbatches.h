// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In how many microbatches a pipeline runs the steps of an entry point. One stage works on a
// microbatch while the next works on the one before it, so that more of them leave less idle
// (Schedule/Schedule.h has the order); and each reads the stage's weights again, so that a step of
// one token, which does little else, has the fewest.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_STAGES_MICROBATCHES_H
#define ASHLAR_COMPILER_DISTRIBUTION_STAGES_MICROBATCHES_H

#include "compiler/Distribution/Stages/StageAssignment.h"

namespace ashlar::distribution {

struct MicrobatchPlan {
  mlir::StringAttr batch; // the dimension that is split; null: none can be
  int64_t count = 1;
  std::string obstacle; // why there are no more, where that is not a matter of time
  double seconds = 0;   // modelled, of a step at the bounds, up to the delivery of its results
  double bubble = 0;    // share of the stages' time without work
};

/// What a step's sequences are told apart by is the first dimension of the entry point's first
/// argument: one that every op treats row by row. `messages` gives the seconds that a stage's
/// messages to the next take at the extents of the time. At most `most` microbatches, where that is
/// not 0.
MicrobatchPlan planMicrobatches(mlir::func::FuncOp entry, StageAssignment &assignment,
                                llvm::function_ref<double()> messages, int64_t most);

/// The dimension that an entry point's steps can be split along.
struct BatchBounds {
  mlir::StringAttr name; // null: there is none
  int64_t extent = 1;    // at its bound
  int64_t mostMicrobatches = 1;
};
BatchBounds getBatchBounds(mlir::func::FuncOp entry);

} // namespace ashlar::distribution

#endif
