// Label setting along a path: the search for solutions under rows that do not fit into the tables.
//
// A label is a way to decide the members of the first stages; what matters of it is the choices of
// the frontier, the usage of each group of open rows, and its cost. Of two with the same frontier
// the one that costs more and uses no less is dominated (Desrochers and Soumis, "A generalized
// permanent labelling algorithm for the shortest path problem with time windows", 1988). Equal
// layers in another order give equal labels, so that their number grows with the sums that occur
// and not with the combinations. The tables of a relaxation bound what completes a label; those
// beyond a known solution are pruned. Of the others the most promising are kept.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_LABELS_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_LABELS_H

#include "compiler/Distribution/Solver/Path/PathTables.h"

namespace ashlar::solver::detail {

struct LabelOptions {
  double bound = 0;         // of the tables, the prices' credit taken off
  double limit = kInfinite; // labels whose bound is above are pruned
  size_t width = 64;        // labels kept per stage
  int64_t mostWork = INT64_MAX;
  std::function<bool()> stop = [] { return false; };
};

struct LabelResult {
  bool found = false;
  std::vector<int32_t> choices; // per member: of the cheapest label at the end
  /// The least bound of a label that was given up for want of width: whatever is not among the
  /// labels that came through, and within the limit, costs at least this.
  double dropped = kInfinite;
  int64_t work = 0; // elementary steps
};

/// Extends labels through all stages. `tables` hold a relaxation of the path for costs in which the
/// rows that are not exact have been paid for.
LabelResult setLabels(const Path &path, const PathTables &tables, const LabelOptions &options);

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_LABELS_H
