// A subproblem as a sequence of decisions: the layout for dynamic programming along a program.
//
// The members are decided one after the other. What the rest of the costs depends on is the
// *frontier*: the decided members that have links to undecided ones (a path decomposition). Rows
// of memory whose users fit into the frontier become part of it, and are then kept exactly; the
// others stay *open* from their first user to their last, with the usage so far as a number. Rows
// that no decided member tells apart, or no undecided one, share a number.
//
//     chain of layers, a buffer lives for three operations:  frontier 2, all rows exact
//     activations kept for the backward pass:                one number for all rows ahead
//
// Equal stages (the same shapes, links, exact rows) have the same kind, so that what is computed
// for a layer of a program serves its copies (PathTables.h).
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_PATH_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_PATH_H

#include "compiler/Distribution/Solver/Problem/Subproblem.h"

namespace ashlar::solver::detail {

class Path {
public:
  /// A row that is complete when the stage's member is decided.
  struct ExactRow {
    int64_t room;
    std::vector<int32_t> places;             // of its users in the frontier
    std::vector<std::vector<int64_t>> bytes; // of each, per strategy
    std::vector<int64_t> own;                // of the stage's member, per strategy
  };
  /// Open rows that have one number in common: by how much the tightest of them is exceeded, which
  /// is at most 0. They have had the same usages so far, or will have the same from here on.
  struct Group {
    /// Groups of the stage before, -1 for none, and what to add; the number is the largest sum.
    std::vector<std::pair<int32_t, int64_t>> sources;
    std::vector<int64_t> bytes; // that the stage's member adds, per strategy; empty: none
    int64_t harmless;           // whatever is to come, no row is exceeded from up to this
  };
  struct Stage {
    int32_t member;
    std::vector<int32_t> frontier; // members; in tables the last one is adjacent
    int64_t entries = 1;           // combinations of the frontier
    struct Link {
      int32_t place;       // in the frontier
      const double *costs; // a row per strategy of the member there
    };
    std::vector<Link> links;
    std::vector<ExactRow> rows;
    std::vector<int64_t> strides; // of the frontier's places in the next table; 0: it leaves
    bool stays = false;           // the member joins the frontier, as the last
    int32_t kind = 0;
    std::vector<Group> groups; // those that stay open first
    size_t openGroups = 0;
  };

  /// Makes all rows exact, if the steps of a stage (entries times strategies) then do not exceed
  /// `mostStepsForAll`; otherwise those with which they do not exceed `mostSteps`.
  Path(const Subproblem &problem, int64_t mostStepsForAll, int64_t mostSteps);

  /// Whether the frontier stays small enough with the links alone; if not, there are no stages.
  bool fits() const { return !stages.empty(); }

  /// Adds to values[x], for each strategy x of the stage's member, what its links to the frontier's
  /// `choices` cost; kInfinite where an exact row would be exceeded.
  void addCosts(const Stage &stage, const std::vector<int32_t> &choices, double *values) const;

  const Subproblem &problem;
  std::vector<Stage> stages;
  std::vector<char> isExact; // per row
  int32_t kinds = 0;

private:
  bool chooseOrder();
  void findUsers();
  void takeUpRows(int64_t mostSteps);
  void layOut();
  void classify();
  void groupRows();
  std::vector<int64_t> bytesIn(int32_t row, int32_t m) const;
  template <typename Visit>
  void forEachPiece(int32_t m, Visit visit) const;

  std::vector<int32_t> order, position;    // members; their places in it
  std::vector<int32_t> until;              // per place: the last place that asks for the member
  std::vector<std::vector<int32_t>> users; // per row: places, ascending
  /// Per row and user: equal for rows that the members behind it use equally.
  std::vector<std::vector<int32_t>> futures;
};

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_PATH_H
