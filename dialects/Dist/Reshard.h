// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The steps from one sharding of a tensor to another, as collectives. Plain values, no IR.

#ifndef ASHLAR_DIALECTS_DIST_RESHARD_H
#define ASHLAR_DIALECTS_DIST_RESHARD_H

#include "dialects/Dist/Sharding.h"

namespace ashlar::dist {

/// What is done along `axes`: of `dim`, or (all_to_all) `dim` is cut and `from` joined.
struct ReshardStep {
  enum class Kind { AllReduce, ReduceScatter, AllGather, AllToAll, AllSlice };
  Kind kind;
  Axes axes;
  unsigned dim = 0, from = 0;
  Sharding result; // after the step
};

/// `all_gather`
llvm::StringRef toString(ReshardStep::Kind kind);

/// Plans the way. `extents` are the whole tensor's, or -1 where a dimension has a name: only parts
/// of a dimension that its axes divide evenly may be seen as cut by parts of an axis.
///
/// In order: partial axes are reduced, scattered where the target is cut by them; then dimensions
/// are cut further by free axes (which costs nothing and makes the rest smaller); axes that move
/// from one dimension to the end of another are exchanged; what is left is gathered and cut. A
/// partial axis of the target that the source does not have is an error of the caller.
std::vector<ReshardStep> planReshard(const Sharding &from, const Sharding &to,
                                     llvm::ArrayRef<int64_t> extents);

} // namespace ashlar::dist

#endif
