// Problems and plans as CSV, in the format of the public MiniMalloc benchmark
// (github.com/google/minimalloc).
//
//     id,lower,upper,size,alignment,gaps
//     b1,0,9,4096,64,2-4 5-6@0:1024
//
// The first line names the columns, in any order. `id`, `lower`, `upper` and `size` are required,
// with the published synonyms `buffer`, `buffer_id`; `begin`, `start`; and `end`, whose values,
// like the ends of gaps beside it, are the last step instead of the one behind it. Optional:
//
//     alignment  bytes
//     gaps       intervals separated by spaces in which the buffer is dead: `2-4`, or in which
//                only its bytes [0, 1024) live: `5-6@0:1024`
//     offset     bytes; the buffer is fixed there. Empty or -1: it is not
//     hint       bytes; empty or -1: none
//     alias      not in the published format: the id of a buffer whose memory this one shares,
//                or `id+bytes`
//
// Every fault is an InvalidArgument error that names the line and the field.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_MEMORY_PLANNER_CSV_H
#define ASHLAR_COMPILER_MEMORY_PLANNER_CSV_H

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/Memory/Planner/Planner.h"

namespace ashlar::planner {

struct CsvProblem {
  Problem problem;
  std::vector<std::string> ids; // one per buffer, all different
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows; // the fields as they were read, one row per buffer
};

/// Reads a problem; the result passes validateProblem.
absl::StatusOr<CsvProblem> parseCsv(absl::string_view text);

/// Returns the rows as they were read, with the plan's offsets in the column `offset`, which is
/// added at the end where there was none.
std::string printCsv(const CsvProblem &csv, const Plan &plan);

} // namespace ashlar::planner

#endif // ASHLAR_COMPILER_MEMORY_PLANNER_CSV_H
