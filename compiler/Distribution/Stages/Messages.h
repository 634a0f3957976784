// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the stages of a pipeline say to each other in an entry point.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_STAGES_MESSAGES_H
#define ASHLAR_COMPILER_DISTRIBUTION_STAGES_MESSAGES_H

#include "compiler/Distribution/Stages/StageAssignment.h"

namespace ashlar::distribution {

/// A value that a stage needs and another one makes.
struct Message {
  mlir::Value value;
  int64_t from, to;
};

struct Messages {
  /// In the order of the senders, receivers and values, which is the order of every stage too, so
  /// that no two wait for each other. Where a place has several stages a value goes from each to
  /// the next one until it is where it is needed: two places then have messages of one kind, which
  /// both take in the same order.
  std::vector<Message> needed;
  /// Results, at the end, for the last stage of every place.
  std::vector<Message> deliveries;
};

Messages collectMessages(mlir::func::FuncOp entry, const StageAssignment &assignment);

/// What these messages of the stage that has most to send take, at the extents of the time.
double getLongestSeconds(llvm::ArrayRef<Message> messages, StageAssignment &assignment);

} // namespace ashlar::distribution

#endif
