// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An entry's steps, measured kernel by kernel beside what the cost model predicts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/CostModel/Roofline.h"
#include "runtime/api/session.h"

namespace ashlar {

// All launches of one kernel in a step; microseconds a step.
struct KernelProfile {
  std::string name;
  int calls = 0;
  Work work;  // of all calls; items added up
  double predicted_us = 0, median_us = 0, min_us = 0;
  Limit limit = Limit::Compute;  // by the model
  std::string reason;            // why it takes as long as it does

  // |predicted - median| / median.
  double error() const;
};

struct EntryProfile {
  std::string entry;
  int steps = 0;
  std::vector<KernelProfile> kernels;  // those that the entry launches
  KernelProfile sum;                   // of the kernels; its times are of whole steps' sums
  double step_us = 0;                  // median of a step, from call to return
  double outside_us = 0;               // median of a step without its kernels
  // Median of the kernels' errors, of those that have work.
  double median_error() const;
};

// Runs the entry for about a second, at least 10 steps, each from the default context. The session
// profiles (SessionOptions::profile).
absl::StatusOr<EntryProfile> ProfileEntry(Session& session, const fb::EntryT& entry,
                                          const std::vector<int64_t>& dims,
                                          const MachineConstants& machine);

std::string ToText(const EntryProfile& profile);
nlohmann::ordered_json ToJson(const EntryProfile& profile);

}  // namespace ashlar
