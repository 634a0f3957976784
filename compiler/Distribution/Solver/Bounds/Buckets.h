// Bucket elimination of a subproblem without its memory rows: the bound and the guide of the
// search.
//
// Variables are eliminated one after the other, each with all functions that mention it (its
// bucket), which leaves a function of its remaining neighbours: a tree decomposition's dynamic
// program (Dechter, "Bucket elimination", 1999). Where the table would be too large the bucket is
// split and each part minimised for itself, which gives a lower bound (mini-buckets: Dechter and
// Rish, 2003). The tables tell the search, for choices made in the reverse order, what the rest
// costs at least.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_BOUNDS_BUCKETS_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_BOUNDS_BUCKETS_H

#include "compiler/Distribution/Solver/Problem/Subproblem.h"

namespace ashlar::solver::detail {

class Buckets {
public:
  /// Chooses an order and lays out the tables, none of which is computed over more than
  /// `mostEntries` combinations. Without `allocate` only exact() and work() may be asked.
  Buckets(const Subproblem &problem, int64_t mostEntries, bool allocate = true);

  /// Computes the tables for these costs of the strategies (as Subproblem::unary, with prices of
  /// memory added) and returns the lower bound on any sum.
  double compute(const std::vector<double> &unary);

  /// The members in the order in which the search decides them.
  const std::vector<int32_t> &order() const { return decisions; }

  /// For the member m = order()[k], when all before it are decided: adds to `bound`, the bound for
  /// those decisions, what each strategy of m raises it by, into values[0, strategies of m).
  void evaluate(int32_t m, const std::vector<int32_t> &choices, double bound, double *values) const;

  /// Whether no bucket was split, so that bounds are attained.
  bool exact() const { return isExact; }
  /// Combinations that compute() goes through.
  int64_t work() const { return combinations; }

private:
  /// A function of a member m and of some that are eliminated later; m's strategies are adjacent.
  struct Function {
    const double *costs;          // or null: a message
    int64_t begin;                // of a message, in tables
    std::vector<int32_t> scope;   // without m
    std::vector<int64_t> strides; // of the scope
  };
  struct MiniBucket {
    int32_t member;
    bool withUnary;
    std::vector<int32_t> scope; // eliminated later, the latest first
    std::vector<Function> functions;
    int64_t message; // begins there, in tables
  };

  void chooseOrder();
  void layOut(int64_t mostEntries, bool allocate);
  void minimise(const MiniBucket &bucket, const std::vector<double> &unary);
  const double *costsOf(const Function &function) const {
    return function.costs ? function.costs : tables.data() + function.begin;
  }

  const Subproblem &problem;
  std::vector<int32_t> elimination; // members, in order
  std::vector<int32_t> position;    // of each member, in elimination
  std::vector<int32_t> decisions;
  std::vector<MiniBucket> buckets;                    // in the order of elimination
  std::vector<std::pair<int32_t, int32_t>> bucketsOf; // per member
  std::vector<double> tables;
  std::vector<double> prices; // the unary costs of the last compute()
  bool isExact = true;
  int64_t combinations = 0;
};

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_BOUNDS_BUCKETS_H
