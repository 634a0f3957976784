// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A module as the solver's problem, and the solver's choices as shardings.
//
// A node per op, argument and state. Its strategies are those of Strategies.h, its cost the op's
// arithmetic and the reduction of its results, its memory what a rank then holds, from where it is
// made to its last use. An edge per use costs the resharding from what its maker gives to what its
// user takes. Time is that of Costs.h, in picoseconds.

#ifndef ASHLAR_COMPILER_DISTRIBUTION_PLAN_PLANPROBLEM_H
#define ASHLAR_COMPILER_DISTRIBUTION_PLAN_PLANPROBLEM_H

#include "compiler/Distribution/Costs.h"
#include "compiler/Distribution/Shardings.h"
#include "compiler/Distribution/Solver/Solver.h"

#include "llvm/ADT/StringMap.h"

namespace ashlar::distribution {

/// Resharding costs in picoseconds, computed once per type and pair of shardings: layers are alike.
class ReshardTable {
public:
  ReshardTable(Costs &costs, const dist::Mesh &mesh) : costs(costs), mesh(mesh) {}

  /// The number of a sharding, for many questions about it.
  unsigned add(const dist::Sharding &sharding);
  int64_t get(mlir::Type type, unsigned from, unsigned to);

private:
  Costs &costs;
  const dist::Mesh &mesh;
  std::vector<dist::Sharding> shardings;
  llvm::StringMap<unsigned> numbers; // by what they print as
  llvm::DenseMap<std::tuple<const void *, unsigned, unsigned>, int64_t> table;
};

class PlanProblem {
public:
  /// The module, which has a mesh, with so many bytes per rank (0: any), of each stage.
  PlanProblem(mlir::ModuleOp module, int64_t memory);

  const solver::Problem &get() const { return problem; }
  static double toSeconds(solver::Cost cost);

  /// Choices under which tensors lie as in `guide`, which is of a copy of the module, as far as
  /// there are such strategies; where there are several, those that cost least with what is chosen
  /// before them.
  std::vector<int32_t> follow(const Shardings &guide) const;
  /// Changes one choice at a time while that costs less, whatever memory it takes.
  void descend(std::vector<int32_t> &choices) const;

  /// Closes every tensor as chosen; returns the bytes of the states on a rank.
  int64_t apply(const std::vector<int32_t> &choices);

private:
  using Relation = Shardings::Relation;

  void findLifetimes();
  solver::Usage getUsage(unsigned tensor, const dist::Sharding &sharding, int64_t from);
  std::pair<int32_t, unsigned> getMaker(unsigned tensor);
  template <typename Wanted>
  void addEdge(unsigned tensor, int32_t user, size_t count, Wanted wanted);
  void addOp(const Relation &relation, int64_t at);
  void addTie(const Relation &relation, int64_t at);
  void addResult(unsigned value, unsigned result, int64_t at);
  int64_t getStrategyCount(int32_t node) const;
  /// What strategy `strategy` of a node costs with its neighbours' choices, those that have one.
  solver::Cost getCost(int32_t node, size_t strategy, const std::vector<int32_t> &choices) const;

  Shardings shardings;
  Costs costs;
  ReshardTable reshards;
  solver::Problem problem;
  /// Per node and strategy, how its tensors lie.
  std::vector<std::vector<std::vector<dist::Sharding>>> offers;
  std::vector<std::pair<int32_t, unsigned>> makers; // per tensor: node and result
  std::vector<int64_t> lastUse;                     // per tensor: the relation behind it
  std::vector<std::vector<int32_t>> edgesOf;        // per node
};

} // namespace ashlar::distribution

#endif
