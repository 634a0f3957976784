// Puts the parts in order: check, model, greedy plans, verify.
// SPDX-License-Identifier: Apache-2.0
#include "compiler/Memory/Planner/Planner.h"

#include <chrono>

#include "compiler/Memory/Planner/Greedy.h"
#include "compiler/Memory/Planner/Model.h"

namespace ashlar {

absl::StatusOr<Plan> planMemory(const Problem &problem, const Options &options) {
  auto start = std::chrono::steady_clock::now();
  if (absl::Status status = validateProblem(problem); !status.ok())
    return status;
  planner::Model model = planner::buildModel(problem);
  constexpr int64_t kMostPairs = 4'000'000;
  std::optional<planner::OverlapGraph> graph = planner::buildOverlaps(model, kMostPairs);
  const int64_t enough = std::max(model.lowerBound, problem.capacity.value_or(0));
  std::vector<int64_t> offsets = planner::greedyPlan(model, graph ? &*graph : nullptr, enough);

  Plan plan;
  plan.offsets = planner::bufferOffsets(model, offsets);
  plan.peak = planner::peakOf(model, offsets);
  plan.lowerBound = model.lowerBound;
  plan.provedOptimal = plan.peak == plan.lowerBound;
  if (problem.capacity && plan.peak > *problem.capacity)
    plan.outcome = plan.lowerBound > *problem.capacity ? Outcome::DoesNotFit : Outcome::FitNotFound;
  plan.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (absl::Status status = verifyPlan(problem, plan); !status.ok())
    return status;
  return plan;
}

} // namespace ashlar
