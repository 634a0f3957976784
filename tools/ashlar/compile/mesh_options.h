// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The options of a model's ranks, which compile and plan have in common.

#ifndef ASHLAR_TOOLS_ASHLAR_COMPILE_MESH_OPTIONS_H
#define ASHLAR_TOOLS_ASHLAR_COMPILE_MESH_OPTIONS_H

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "compiler/Pipelines/Pipelines.h"
#include "tools/ashlar/options.h"

namespace ashlar {

/// --mesh, --plan, --microbatches, --chunks, --devices, --auto, --topology.
void addMeshOptions(Options& parser, DistributionOptions& ranks, int64_t& devices);

/// What is wrong with these options together; empty where nothing is.
std::string checkMeshOptions(const DistributionOptions& ranks, int64_t devices);

/// Reads the plan's file, where there is one, once: it may be a pipe. NotFound and errors of
/// reading name it.
absl::Status readPlan(DistributionOptions& ranks);

}  // namespace ashlar

#endif
