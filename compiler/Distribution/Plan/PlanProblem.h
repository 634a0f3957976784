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

#include <map>

namespace ashlar::distribution {

/// Resharding costs in picoseconds, computed once per type and pair of shardings: layers are alike.
class ReshardTable {
public:
  ReshardTable(Costs &costs, const dist::Mesh &mesh) : costs(costs), mesh(mesh) {}

  /// The number of a sharding, for many questions about it.
  unsigned add(const dist::Sharding &sharding);
  std::vector<unsigned> add(llvm::ArrayRef<dist::Sharding> some);
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
  void setStart(std::vector<int32_t> choices) { problem.start = std::move(choices); }
  /// Whether a rank can keep its part of the states at all, each cut as far as it can be.
  bool hasRoomForStates() const;
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
  /// What a node may choose from, per strategy. Layers are alike: what is offered is found once per
  /// type, or op, and what is wanted of it.
  struct Offers {
    std::vector<std::vector<dist::Sharding>> results;
    std::vector<std::vector<unsigned>> numbers;  // of these
    std::vector<std::vector<int64_t>> bytes;     // of these, on a rank
    std::vector<std::vector<unsigned>> operands; // of an op: the numbers of what it takes
    std::vector<int64_t> costs;
    size_t size() const { return results.size(); }
  };
  using Key = std::vector<const void *>;

  void findLifetimes();
  solver::Usage getUsage(unsigned tensor, int64_t bytes, int64_t from);
  std::pair<int32_t, unsigned> getMaker(unsigned tensor);
  const Offers &getOffers(const Shardings::Tensor &tensor);
  const Offers &getOffers(const Relation &relation);
  /// `wanted` gives the number of the sharding that a strategy of the user takes.
  void addEdge(unsigned tensor, int32_t user, llvm::function_ref<unsigned(size_t)> wanted);
  void addOp(const Relation &relation, int64_t at);
  void addTie(const Relation &relation, int64_t at);
  void addResult(unsigned value, unsigned result, int64_t at);
  int64_t getStrategyCount(int32_t node) const;
  /// What strategy `strategy` of a node costs with its neighbours' choices, those that have one.
  solver::Cost getCost(int32_t node, size_t strategy, const std::vector<int32_t> &choices) const;

  Shardings shardings;
  Costs costs;
  ReshardTable reshards;
  int64_t stages = 1; // of a pipeline
  solver::Problem problem;
  std::map<Key, Offers> known;
  std::vector<const Offers *> offers;               // per node
  std::vector<std::pair<int32_t, unsigned>> makers; // per tensor: node and result
  std::vector<int64_t> lastUse;                     // per tensor: the relation behind it
  std::vector<std::vector<int32_t>> edgesOf;        // per node
};

} // namespace ashlar::distribution

#endif
