// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The machine that a command predicts for: from a file, or measured once and kept in the user's
// cache directory (CachedMachinePath).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/device/cpu/machine_constants.h"
#include "tools/ashlar/options.h"

namespace ashlar {

struct MachineRequest {
  std::string file;      // empty: the cached measurement, or a new one
  bool measure = false;  // measure again

  // Adds --machine and --measure-machine.
  void AddTo(Options& options);
  // What is wrong with them together, for a usage error; empty when nothing is.
  std::string FindConflict() const;
};

// Returns what the file says, with a warning on stderr where it is of another CPU or number of
// threads, or the cached measurement where it is of this CPU, or measures for
// this pool and keeps the result. A cache that cannot be read is measured anew, one that cannot be
// written is a warning on stderr.
absl::StatusOr<MachineConstants> GetMachine(const MachineRequest& request, Executor& pool);

// A few lines: the constants and where they come from.
std::string DescribeMachine(const MachineConstants& machine);

}  // namespace ashlar
