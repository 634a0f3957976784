// A lower bound on the whole core, and first solutions that follow from it.
//
// The links' costs are shifted between the variables by messages (sequential tree-reweighted
// message passing: Kolmogorov, "Convergent tree-reweighted message passing for energy
// minimization", 2006), the rows of memory are paid for at prices that subgradient steps adapt.
// For any messages and prices, eliminating one variable after the other, each with its share of
// the costs, gives a bound; the passes raise it.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_BOUNDS_DUAL_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_BOUNDS_DUAL_H

#include "compiler/Distribution/Solver/Problem/Core.h"

namespace ashlar::solver::detail {

class Dual {
public:
  explicit Dual(const Core &core);

  /// One pass forth and one back, then a step of the prices. `target` is the cost of a known
  /// solution, or infinite. Returns the bound for the prices before the step, the graph's constant
  /// left out.
  double pass(double target);

  /// Decides the variables in order, each by its own costs, the links to those decided and the
  /// messages of the others; within the rows if `withinRows`, as far as that succeeds. Returns
  /// whether it did.
  bool decode(bool withinRows, std::vector<int32_t> &choices) const;

  double bestBound() const { return best; }
  /// The best bound less what rounding may have added to it.
  double provenBound() const { return proven; }
  /// Prices of the best bound, per row.
  const std::vector<double> &bestPrices() const { return bestOf; }
  int64_t workOfPass() const { return work; }

private:
  void pay();
  double rounding(double bound) const;
  double sweep(bool forth);
  void step(double bound, double target);
  double *incoming(int32_t v, size_t k) { return messages.data() + begins[size_t(v)][k]; }
  const double *incoming(int32_t v, size_t k) const {
    return messages.data() + begins[size_t(v)][k];
  }

  const Core &core;
  std::vector<std::vector<int64_t>> begins; // per variable and neighbour, in messages
  std::vector<double> messages;
  std::vector<double> shares; // per variable
  std::vector<double> unary;  // with memory paid for
  std::vector<double> prices, bestOf;
  std::vector<double> direction; // smoothed excess
  double credit = 0;             // what the limits are worth
  double best = -kInfinite, proven = -kInfinite;
  double ambition = 0; // how far above the best bound a step aims
  int64_t passes = 0;
  int sinceBest = 0;
  int64_t work = 0;
  int64_t links = 0; // seen from both ends
};

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_BOUNDS_DUAL_H
