// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/Planner.h"

#include "compiler/Distribution/Plan/Conventions.h"
#include "compiler/Distribution/Propagate.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Threading.h"

using namespace mlir;
using namespace ashlar::dist;

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

} // namespace

int getSearchThreads() {
  return static_cast<int>(llvm::heavyweight_hardware_concurrency().compute_thread_count());
}

Planner::Planner(ModuleOp module, int64_t memory) : problem(module, memory) {
  done = !problem.hasRoomForStates();
  if (done)
    return;
  OwningOpRef<ModuleOp> copy = module.clone();
  std::optional<Shardings> guide = getConventional(*copy);
  if (!guide)
    return;
  conventional.push_back(problem.follow(*guide));
  cutParameters(*guide);
  conventional.push_back(problem.follow(*guide));
}

/// Starts from a plan that people would make: it fits if any of those does, and is the fastest of
/// them.
void Planner::chooseStart() {
  std::vector<int32_t> best = conventional.front();
  std::optional<solver::Cost> least;
  for (std::vector<int32_t> &start : conventional)
    for (bool descends : {false, true}) {
      if (descends)
        problem.descend(start);
      auto verified = solver::verifySolution(problem.get(), start);
      if (!verified.ok() || (least && *verified >= *least))
        continue;
      least = *verified;
      best = start;
    }
  problem.setStart(std::move(best));
  conventional.clear();
}

absl::Status Planner::search(int64_t workLimit, int threads) {
  if (done)
    return absl::OkStatus();
  if (!conventional.empty())
    chooseStart();
  solver::Options options;
  options.timeLimit = 3600;
  options.workLimit = workLimit;
  options.threads = threads;
  auto solution = solver::solve(problem.get(), options);
  if (!solution.ok())
    return solution.status();
  lowerBound = std::max(lowerBound, solution->lowerBound);
  if (solution->feasible && (choices.empty() || solution->cost < cost)) {
    cost = solution->cost;
    choices = std::move(solution->choices);
  }
  done = solution->provedInfeasible || (hasPlan() && lowerBound == cost);
  return absl::OkStatus();
}

AutoPlan Planner::apply() {
  AutoPlan plan;
  plan.seconds = getSeconds();
  plan.lowerBound = getLowerBound();
  plan.stateBytes = problem.apply(choices);
  return plan;
}

} // namespace ashlar::distribution
