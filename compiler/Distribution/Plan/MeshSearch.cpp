// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Distribution/Plan/AutoPlan.h"
#include "compiler/Distribution/Plan/PlanFile.h"
#include "dialects/Dist/Dist.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"

using namespace mlir;

namespace ashlar::distribution {

FailureOr<std::vector<MeshChoice>> searchMesh(ModuleOp module, int64_t ranks,
                                              llvm::StringRef topology,
                                              const AutoPlanOptions &options) {
  module.getContext()->loadDialect<dist::DistDialect>();
  std::vector<MeshChoice> choices;
  std::vector<Diagnostic> errors;
  for (int64_t tp = 1; tp <= ranks; ++tp) {
    if (ranks % tp != 0)
      continue;
    std::string axes = tp == ranks ? "" : "dp=" + std::to_string(ranks / tp);
    if (tp > 1)
      axes += (axes.empty() ? "tp=" : " tp=") + std::to_string(tp);
    auto plan = parsePlan("mesh " + (axes.empty() ? "dp=1" : axes) + " on " + topology.str());
    if (!plan)
      return module.emitError() << llvm::toString(plan.takeError());
    // What does not fit one shape of the mesh may fit another.
    ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
      errors.push_back(std::move(diagnostic));
      return success();
    });
    OwningOpRef<ModuleOp> copy = module.clone();
    if (failed(applyPlan(*plan, "--devices", *copy)))
      continue;
    auto found = planSharding(*copy, options);
    if (failed(found))
      continue;
    std::replace(axes.begin(), axes.end(), ' ', ',');
    choices.push_back({axes, *found});
  }
  if (choices.empty()) {
    for (Diagnostic &error : errors)
      module.getContext()->getDiagEngine().emit(std::move(error));
    return failure();
  }
  llvm::sort(choices, [](const MeshChoice &a, const MeshChoice &b) {
    return std::tie(a.plan.seconds, a.mesh) < std::tie(b.plan.seconds, b.mesh);
  });
  return choices;
}

} // namespace ashlar::distribution
