// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/AutoPlan.h"

#include "compiler/Diagnostics/ErrorCodes.h"
#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Plan/Conventions.h"
#include "compiler/Distribution/Plan/PlanProblem.h"
#include "compiler/Distribution/Propagate.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Threading.h"

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

/// How the tensors of a module lie by the conventions of its axes' names, where it says nothing
/// else; nothing where an axis has another name, or the conventions do not do for the model.
std::optional<Shardings> getConventional(ModuleOp copy) {
  ScopedDiagnosticHandler quiet(copy.getContext(), [](Diagnostic &) { return success(); });
  Plan plan;
  plan.mesh = findMesh(copy).getMesh();
  if (llvm::Error error = addConventions(plan)) {
    llvm::consumeError(std::move(error));
    return std::nullopt;
  }
  if (failed(applyPlan(plan, "conventions", copy)))
    return std::nullopt;
  Shardings shardings(copy);
  propagate(shardings);
  return shardings;
}

/// Cuts the parameters over the data axis, too, each along its first dimension: weights are then
/// gathered for their use, as in ZeRO (Rajbhandari et al., 2020).
void cutParameters(Shardings &shardings) {
  const Mesh &mesh = shardings.getMesh();
  if (!mesh.find("dp"))
    return;
  const Axis data = mesh.getWhole("dp");
  for (Shardings::Tensor &tensor : shardings.tensors)
    if (tensor.isState && isa<RankedTensorType>(tensor.type) && !tensor.sharding.dims.empty())
      tensor.sharding.dims[0].axes.insert(tensor.sharding.dims[0].axes.begin(), data);
}

/// A plan that people would make, for the solver to start from: it fits if any of those does, and
/// is the fastest of them.
std::vector<int32_t> getStart(ModuleOp module, const PlanProblem &problem) {
  OwningOpRef<ModuleOp> copy = module.clone();
  std::optional<Shardings> conventional = getConventional(*copy);
  if (!conventional)
    return {};
  std::vector<int32_t> best = problem.follow(*conventional);
  std::optional<solver::Cost> least;
  auto consider = [&](std::vector<int32_t> choices) {
    for (bool descends : {false, true}) {
      if (descends)
        problem.descend(choices);
      auto cost = solver::verifySolution(problem.get(), choices);
      if (!cost.ok() || (least && *cost >= *least))
        continue;
      least = *cost;
      best = choices;
    }
  };
  consider(best);
  cutParameters(*conventional);
  consider(problem.follow(*conventional));
  return best;
}

/// Without a limit it is not memory: what must not be moved is pinned against its users.
LogicalResult reportContradiction(ModuleOp module) {
  InFlightDiagnostic error = emitError(module.getLoc(), ErrorCode::kBadPlan)
                             << "no plan follows all pins";
  Shardings shardings(module);
  for (const Shardings::Tensor &tensor : shardings.tensors)
    if (tensor.priority && isa<graph::CacheType>(tensor.type))
      error.attachNote() << "'" << tensor.path << "' is pinned to "
                         << toString(tensor.sharding, shardings.getMesh())
                         << ", and a cache stays where it lies: what appends to it and reads it "
                            "must be cut alike";
  return error;
}

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
  PlanProblem planProblem(module, options.memory);
  solver::Problem problem = planProblem.get();
  problem.start = getStart(module, planProblem);
  solver::Options solverOptions;
  solverOptions.timeLimit = 3600;
  solverOptions.workLimit = options.workLimit;
  solverOptions.threads = llvm::heavyweight_hardware_concurrency().compute_thread_count();
  auto solution = solver::solve(problem, solverOptions);
  if (!solution.ok())
    return emitError(module.getLoc(), ErrorCode::kInternal)
           << "the solver refuses the plan's problem: " << std::string(solution.status().message());
  if (!solution->feasible)
    return options.memory > 0 ? reportTooLittleMemory(module, options.memory)
                              : reportContradiction(module);
  AutoPlan plan;
  plan.seconds = PlanProblem::toSeconds(solution->cost);
  plan.lowerBound = PlanProblem::toSeconds(solution->lowerBound);
  plan.stateBytes = planProblem.apply(solution->choices);
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
