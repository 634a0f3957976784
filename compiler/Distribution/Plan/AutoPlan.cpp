// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/AutoPlan.h"

#include "compiler/Diagnostics/ErrorCodes.h"
#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Plan/Planner.h"
#include "llvm/Support/FormatVariadic.h"

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

LogicalResult reportNoPlan(ModuleOp module, int64_t memory) {
  return memory > 0 ? reportTooLittleMemory(module, memory) : reportContradiction(module);
}

LogicalResult reportRefusal(ModuleOp module, const absl::Status &status) {
  return emitError(module.getLoc(), ErrorCode::kInternal)
         << "the solver refuses the plan's problem: " << std::string(status.message());
}

FailureOr<AutoPlan> planSharding(ModuleOp module, const AutoPlanOptions &options) {
  Planner planner(module, options.memory);
  if (absl::Status status = planner.search(options.workLimit, getSearchThreads()); !status.ok())
    return reportRefusal(module, status);
  if (!planner.hasPlan())
    return reportNoPlan(module, options.memory);
  return planner.apply();
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
