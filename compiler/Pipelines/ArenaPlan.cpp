// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/Pipelines/ArenaPlan.h"

namespace ashlar {

void ArenaPlan::define(mlir::Value value, int64_t bytes, int64_t step) {
  indices[value] = defineWorkspace(bytes, step);
}

size_t ArenaPlan::defineWorkspace(int64_t bytes, int64_t step) {
  planner::Buffer buffer;
  buffer.lower = step;
  buffer.upper = step + 1;
  buffer.size = std::max<int64_t>(bytes, 1);
  buffer.alignment = 64;
  problem.buffers.push_back(buffer);
  return problem.buffers.size() - 1;
}

void ArenaPlan::useWorkspace(size_t number, int64_t step) {
  planner::Buffer &buffer = problem.buffers[number];
  buffer.upper = std::max(buffer.upper, step + 1);
}

void ArenaPlan::use(mlir::Value value, int64_t step) { useWorkspace(indices.lookup(value), step); }

absl::Status ArenaPlan::plan() {
  planner::Options options;
  options.timeLimit = 30;
  options.workLimit = 50'000; // the same plan on every machine
  absl::StatusOr<planner::Plan> planned = planMemory(problem, options);
  if (!planned.ok())
    return planned.status();
  result = *std::move(planned);
  return absl::OkStatus();
}

} // namespace ashlar
