// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/AutoPlan.h"

#include "compiler/Diagnostics/ErrorCodes.h"
#include "compiler/Distribution/Partition/Choice.h"
#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Plan/Strategies.h"
#include "compiler/Distribution/Solver/Solver.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>

using namespace mlir;

namespace ashlar {
#define GEN_PASS_DEF_PLANSHARDINGPASS
#include "compiler/Distribution/Passes.h.inc"
} // namespace ashlar

using namespace ashlar;
using namespace ashlar::dist;
using namespace ashlar::distribution;

namespace ashlar::distribution {
namespace {

constexpr double kPicoseconds = 1e12;
int64_t toCost(double seconds) { return static_cast<int64_t>(seconds * kPicoseconds + 0.5); }

/// Resharding costs, computed once per type and pair of shardings: layers are alike.
class ReshardTable {
public:
  ReshardTable(Costs &costs, const Mesh &mesh) : costs(costs), mesh(mesh) {}

  int64_t get(Type type, const Sharding &from, const Sharding &to) {
    if (from == to)
      return 0;
    auto key = std::tuple(type.getAsOpaquePointer(), toString(from, mesh), toString(to, mesh));
    auto [known, isNew] = table.try_emplace(key, 0);
    if (isNew)
      known->second = toCost(costs.getReshardSeconds(type, from, to));
    return known->second;
  }

private:
  Costs &costs;
  const Mesh &mesh;
  std::map<std::tuple<const void *, std::string, std::string>, int64_t> table;
};

/// The module as the solver's problem, and back.
class Builder {
public:
  Builder(ModuleOp module, const AutoPlanOptions &options)
      : shardings(module), costs(module, shardings.getMesh()), reshards(costs, shardings.getMesh()),
        makers(shardings.tensors.size(), {-1, 0}) {
    problem.limits = {options.memory > 0 ? options.memory : INT64_MAX / 4};
  }

  solver::Problem build() {
    findLifetimes();
    for (auto [i, relation] : llvm::enumerate(shardings.relations))
      if (relation.op)
        addOp(relation, static_cast<int64_t>(i));
      else
        addTie(relation, static_cast<int64_t>(i));
    for (unsigned tensor = 0; tensor < shardings.tensors.size(); ++tensor)
      getMaker(tensor); // states that nobody reads
    return std::move(problem);
  }

  /// Closes every tensor as chosen; returns the bytes of the states.
  int64_t apply(const std::vector<int32_t> &choices) {
    int64_t bytes = 0;
    for (unsigned tensor = 0; tensor < shardings.tensors.size(); ++tensor) {
      Shardings::Tensor &each = shardings.tensors[tensor];
      auto [node, result] = makers[tensor];
      each.sharding = offers[node][choices[node]][result];
      if (each.isState)
        bytes += static_cast<int64_t>(costs.getBytes(each.type, each.sharding));
    }
    shardings.write();
    return bytes;
  }

private:
  using Relation = Shardings::Relation;

  void findLifetimes() {
    lastUse.resize(shardings.tensors.size(), 0);
    for (auto [i, relation] : llvm::enumerate(shardings.relations))
      for (unsigned tensor : relation.operands)
        lastUse[tensor] = std::max<int64_t>(lastUse[tensor], static_cast<int64_t>(i) + 1);
  }

  solver::Usage getUsage(unsigned tensor, const Sharding &sharding, int64_t from) {
    auto bytes = static_cast<int64_t>(costs.getBytes(shardings.tensors[tensor].type, sharding));
    int64_t end = static_cast<int64_t>(shardings.relations.size()) + 1;
    if (shardings.tensors[tensor].isState)
      return {0, 0, end, bytes};
    return {0, from, std::max(lastUse[tensor], from + 1), bytes};
  }

  /// The node that makes a tensor; arguments and states are nodes of their own.
  std::pair<int32_t, unsigned> getMaker(unsigned tensor) {
    if (makers[tensor].first >= 0)
      return makers[tensor];
    const Shardings::Tensor &source = shardings.tensors[tensor];
    solver::Node node;
    auto &offer = offers.emplace_back();
    for (const Sharding &sharding :
         getTensorStrategies(source.type, source.sharding, shardings.getMesh(), costs)) {
      node.strategies.push_back({0, {getUsage(tensor, sharding, 0)}});
      offer.push_back({sharding});
    }
    problem.nodes.push_back(std::move(node));
    return makers[tensor] = {static_cast<int32_t>(problem.nodes.size()) - 1, 0};
  }

  /// The cost of bringing a tensor from what its maker offers to what a node's strategies want.
  template <typename Wanted>
  void addEdge(unsigned tensor, int32_t user, size_t count, Wanted wanted) {
    auto [maker, result] = getMaker(tensor);
    Type type = shardings.tensors[tensor].type;
    bool stays = isa<graph::CacheType>(type); // a cache is not moved
    solver::Edge edge{maker, user, {}};
    for (const auto &offer : offers[maker])
      for (size_t strategy = 0; strategy < count; ++strategy) {
        const Sharding &from = offer[result], &to = wanted(strategy);
        edge.costs.push_back(stays ? (from == to ? 0 : solver::kForbidden)
                                   : reshards.get(type, from, to));
      }
    problem.edges.push_back(std::move(edge));
  }

  void addOp(const Relation &relation, int64_t at) {
    SmallVector<Sharding, 0> wanted;
    for (unsigned tensor : relation.results)
      wanted.push_back(shardings.tensors[tensor].sharding);
    std::vector<OpStrategy> strategies =
        getOpStrategies(relation.op, relation.rule, wanted, shardings.getMesh(), costs);
    SmallVector<std::pair<int32_t, unsigned>> operandMakers;
    for (unsigned tensor : relation.operands)
      operandMakers.push_back(getMaker(tensor));
    auto self = static_cast<int32_t>(problem.nodes.size());
    solver::Node node;
    auto &offer = offers.emplace_back();
    for (const OpStrategy &strategy : strategies) {
      solver::Strategy made;
      made.cost = toCost(costs.getOpSeconds(relation.op, relation.rule, strategy.axes));
      for (auto [tensor, from, to] :
           llvm::zip(relation.results, strategy.produced, strategy.results)) {
        made.cost += reshards.get(shardings.tensors[tensor].type, from, to);
        if (!isa<graph::CacheType>(
                shardings.tensors[tensor].type)) // a cache takes its state's room
          made.usages.push_back(getUsage(tensor, to, at));
      }
      node.strategies.push_back(std::move(made));
      offer.push_back(strategy.results);
    }
    problem.nodes.push_back(std::move(node));
    for (auto [r, tensor] : llvm::enumerate(relation.results))
      makers[tensor] = {self, static_cast<unsigned>(r)};
    for (auto [i, tensor] : llvm::enumerate(relation.operands))
      addEdge(tensor, self, strategies.size(),
              [&, i = i](size_t s) -> const Sharding & { return strategies[s].operands[i]; });
  }

  /// A reading lies as its state, a function's result as its value, unless it is pinned otherwise;
  /// a state that is written is brought back to where it lies.
  void addTie(const Relation &relation, int64_t at) {
    unsigned from = relation.operands[0], to = relation.results[0];
    const Shardings::Tensor &target = shardings.tensors[to];
    bool isFree = llvm::all_of(target.sharding.dims, [](const DimSharding &dim) {
      return dim.isOpen && dim.axes.empty();
    });
    if (isFree && !target.isState) {
      makers[to] = getMaker(from);
      lastUse[from] = std::max(lastUse[from], lastUse[to]);
      return;
    }
    auto [user, result] = getMaker(to);
    addEdge(from, user, offers[user].size(),
            [&, user = user, result = result](size_t s) -> const Sharding & {
              return offers[user][s][result];
            });
  }

  Shardings shardings;
  Costs costs;
  ReshardTable reshards;
  solver::Problem problem;
  /// Per node and strategy, how its tensors lie.
  std::vector<std::vector<std::vector<Sharding>>> offers;
  std::vector<std::pair<int32_t, unsigned>> makers; // per tensor: node and result
  std::vector<int64_t> lastUse;
};

LogicalResult reportTooLittleMemory(ModuleOp module, int64_t limit) {
  Shardings shardings(module);
  Costs costs(module, shardings.getMesh());
  double states = 0;
  for (const Shardings::Tensor &tensor : shardings.tensors)
    if (tensor.isState)
      states += costs.getBytes(tensor.type, Sharding(tensor.sharding.dims.size()));
  int64_t ranks = shardings.getMesh().getRankCount();
  InFlightDiagnostic error = emitError(module.getLoc(), ErrorCode::kOverMemory)
                             << "no plan fits into " << limit << " bytes per rank";
  error.attachNote()
      << "the states alone take " << static_cast<int64_t>(states) << " bytes, "
      << static_cast<int64_t>(states) / ranks << " on each of " << ranks
      << " ranks at best; more ranks, fewer pins or smaller bounds of dimensions help";
  return failure();
}

} // namespace

FailureOr<AutoPlan> planSharding(ModuleOp module, const AutoPlanOptions &options) {
  Builder builder(module, options);
  solver::Problem problem = builder.build();
  solver::Options solverOptions;
  solverOptions.timeLimit = 3600;
  solverOptions.workLimit = options.workLimit;
  auto solution = solver::solve(problem, solverOptions);
  if (!solution.ok())
    return emitError(module.getLoc(), ErrorCode::kInternal)
           << "the solver refuses the plan's problem: " << std::string(solution.status().message());
  if (!solution->feasible)
    return reportTooLittleMemory(module, options.memory);
  AutoPlan plan;
  plan.seconds = static_cast<double>(solution->cost) / kPicoseconds;
  plan.lowerBound = static_cast<double>(solution->lowerBound) / kPicoseconds;
  plan.stateBytes = builder.apply(solution->choices);
  return plan;
}

} // namespace ashlar::distribution

namespace {

struct PlanSharding : ashlar::impl::PlanShardingPassBase<PlanSharding> {
  using PlanShardingPassBase::PlanShardingPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!findMesh(module)) {
      module.emitError() << "has no dist.mesh to plan for";
      return signalPassFailure();
    }
    auto plan = planSharding(module, {memory, workLimit});
    if (failed(plan))
      return signalPassFailure();
    if (report)
      module.emitRemark() << "planned: "
                          << llvm::formatv(
                                 "{0:F2} us, no plan takes less than {1:F2} us; {2} bytes "
                                 "of states per rank",
                                 plan->seconds * 1e6, plan->lowerBound * 1e6, plan->stateBytes)
                                 .str();
  }
};

} // namespace
