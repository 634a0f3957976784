// The rows of memory that do not fit into the tables of a path, followed from stage to stage.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_ROWGROUPING_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_ROWGROUPING_H

#include <tuple>

#include "compiler/Distribution/Solver/Path/Path.h"

namespace ashlar::solver::detail {

/// Follows the rows that are not exact from stage to stage.
class RowGrouping {
public:
  RowGrouping(const Subproblem &problem, std::vector<int64_t> toCome)
      : room(problem.room), toCome(std::move(toCome)), groupOf(room.size(), -1),
        joins(room.size(), -1) {}

  /// What happens to a row at a stage, beside its group before.
  struct Event {
    int32_t row;
    int32_t piece;  // of the member's usage, or -1
    int32_t future; // 0: the row closes
  };

  /// Sorts the rows that are open at the stage, or close, into groups. `pieces` are the member's
  /// usages.
  void advance(const std::vector<Event> &rows, const std::vector<std::vector<int64_t>> &pieces,
               Path::Stage &stage);

  std::vector<int64_t> room;   // less than in the problem where it is counted in the group's number
  std::vector<int64_t> toCome; // the most that the undecided members may use

private:
  struct Candidate {
    Path::Group group;
    int32_t piece;
    int32_t future; // that all have in common, or -1
    int64_t room;
  };

  void collect(const std::vector<Event> &rows, const std::vector<std::vector<int64_t>> &pieces);

  std::vector<int32_t> groupOf, joins; // per row: after the stage before; candidate
  std::vector<int64_t> roomOf;         // per group of the stage before
  std::vector<Candidate> candidates;
};

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_ROWGROUPING_H
