// The order of the methods on the core: bound, first solutions, improvement, proof.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PORTFOLIO_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PORTFOLIO_H

#include <chrono>
#include <functional>

#include "compiler/Distribution/Solver/Problem/Core.h"

namespace ashlar::solver::detail {

/// Elementary steps per unit of Options::workLimit.
constexpr int64_t kWorkUnit = 1000;

struct PortfolioOptions {
  int threads = 1;
  std::optional<int64_t> workLimit; // units
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  Cost upper = kInfinity;     // of a known solution; only better ones are of interest
  std::vector<int32_t> start; // choices to start from, or empty; -1 where one is not known
  std::function<void(Cost, Cost)> onProgress; // called with the best cost, or kInfinity, and bound
};

struct PortfolioResult {
  bool found = false;           // a solution below `upper`
  std::vector<int32_t> choices; // of it
  Cost lowerBound = 0;
  /// There is no better solution than the one found, or than `upper`.
  bool exhausted = false;
  int64_t work = 0; // units
};

PortfolioResult optimise(const Core &core, const PortfolioOptions &options);

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PORTFOLIO_H
