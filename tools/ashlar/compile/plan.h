// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `ashlar plan` finds out, and the ways in which it says it.
#pragma once

#include "compiler/Distribution/Plan/MeshSearch.h"
#include "compiler/Distribution/Plan/Report.h"
#include "compiler/Import/HuggingFace.h"
#include "compiler/Pipelines/MemoryReport.h"
#include "compiler/Pipelines/Pipelines.h"
#include "runtime/program/artifact_generated.h"
#include "tools/ashlar/compile/compiler_context.h"

namespace ashlar {

struct PlanOptions {
  ImportOptions import;
  DistributionOptions distribution;
  int64_t devices = 0;
  std::vector<distribution::MeshChoice> meshes;  // of these, as far as they are known
  int64_t memory = 0;                            // of a device; 0: any
  int64_t threads = 1;                           // of a rank
  int64_t work_limit = distribution::AutoPlanOptions().workLimit;
  bool says_how = true;  // meshes and rounds, as they are tried
};

// What is known of a plan when it has been made.
struct Planned {
  std::string text;       // as a plan file
  std::string explained;  // the same, with the reason for each line behind it
  std::vector<distribution::EntryReport> entries;
  std::vector<distribution::StepReport> steps;
  MemoryReport memory;
  fb::ProgramT program;  // without code
};

// Fails with errors, of which E1005 is one of memory.
mlir::FailureOr<Planned> MakePlan(PlanOptions options, CompilerContext& compiler);

// The plan as one page that needs nothing else: facts, memory by category, the timeline of a step,
// collectives, memory maps, and how each tensor lies.
std::string PlanPage(const Planned& planned, const PlanOptions& options);

// Where nothing fits into options.memory: looks for what would, one change at a time, and prints to
// stderr what each takes and how fast it is.
void PrintRemedies(const PlanOptions& options);

}  // namespace ashlar
