// Problems and solutions as JSON, in the format of the ASPLOS 2025 contest on intra-operator
// parallelism (github.com/google/iopddl).
//
//     {"problem": {"name": "example",
//       "nodes": {"intervals": [[30, 70], [40, 70]],  // half-open; may be empty
//                 "costs":     [[15], [55, 65]],      // a list of strategies per node
//                 "usages":    [[10], [25, 20]]},     // bytes during the node's interval
//       "edges": {"nodes": [[0, 1]], "costs": [[30, 40]]},   // row-major by the first node
//       "usage_limit": 50}}
//
// Other fields are ignored. There is one memory space. A number may be written as 1e18 where it is
// an integer all the same. Every fault is an InvalidArgument error that names the field.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_IOPDDL_IOPDDL_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_IOPDDL_IOPDDL_H

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/Distribution/Solver/Solver.h"

namespace ashlar::solver {

/// Reads a problem; the result passes validateProblem.
absl::StatusOr<Problem> parseIopddl(absl::string_view text);

/// Reads a file that parseIopddl understands; one that begins like a gzip file is decompressed, up
/// to 1 GiB.
absl::StatusOr<Problem> readIopddl(const std::string &path);

/// Returns the choices as a JSON list, which ends in a newline.
std::string printChoices(const std::vector<int32_t> &choices);

} // namespace ashlar::solver

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_IOPDDL_IOPDDL_H
