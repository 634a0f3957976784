// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the rest of a path costs at least: dynamic programming from its end, equal parts once.
//
// The table of a stage says, for each combination of its frontier, the least costs of the members
// from there on. It follows from the stage's kind, the costs of its member's strategies and the
// next table. Tables are kept less their least entry and by content; a stage whose kind, costs and
// next table have been seen takes over the table. Along equal layers the tables soon repeat but for
// a constant (the powers of a min-plus matrix do: Cohen, Dubois, Quadrat and Viot, "A
// linear-system-theoretic view of discrete-event processes", 1985), and each further layer costs a
// look-up.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_PATHTABLES_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_PATHTABLES_H

#include <functional>
#include <string>
#include <unordered_map>

#include "compiler/Distribution/Solver/Path/Path.h"

namespace ashlar::solver::detail {

class PathTables {
public:
  explicit PathTables(const Path &path) : path(path) {}

  /// Computes the tables for these costs of the strategies (as Subproblem::unary) and returns the
  /// least sum, or nothing if that would take more than `mostSteps` or kMostEntries, or `stop` says
  /// so.
  std::optional<double> compute(const std::vector<double> &unary, int64_t mostSteps,
                                const std::function<bool()> &stop);

  /// Returns the place in the stage's table of the combination of its frontier.
  static int64_t placeOf(const Path &path, size_t stage, const std::vector<int32_t> &choices);

  /// For the stage and a combination of its frontier: adds to values[x], for each strategy x of its
  /// member, what all costs from there on exceed the least of the combination by.
  void addRise(size_t stage, int64_t place, const std::vector<int32_t> &choices,
               const double *linkCosts, double *values) const;

  /// Entries of distinct tables that are kept at once: 512 MiB.
  static constexpr int64_t kMostEntries = int64_t{1} << 26;

  /// Elementary steps made so far.
  int64_t work = 0;

private:
  struct Entry {
    int32_t table = 0;
    double least = 0; // taken out of it
  };
  std::vector<double> minimise(const Path::Stage &stage, const double *unary,
                               const std::vector<double> &next) const;
  int32_t intern(std::vector<double> table);

  const Path &path;
  std::vector<double> unary;
  std::vector<std::vector<double>> tables; // distinct ones
  std::unordered_multimap<uint64_t, int32_t> byHash;
  std::vector<Entry> entries; // per stage, and one for the end
};

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PATH_PATHTABLES_H
