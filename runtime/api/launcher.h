// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the launches of a session run: on the CPU's threads, or on an emulated device.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// A launch made ready: operands as addresses, and the extents of the step.
struct PreparedLaunch {
  const fb::LaunchT* schema = nullptr;
  const fb::KernelT* kernel = nullptr;
  std::vector<void*> buffers;
  std::vector<int64_t> extents;  // the kernel's, and one place behind them for the launcher's use
};

// Used by one thread at a time.
class Launcher {
 public:
  virtual ~Launcher() = default;

  // Runs the launch to its end. An error is the kernel's, or the device's, and names both the
  // kernel and the layer.
  virtual absl::Status Run(PreparedLaunch& launch) = 0;
};

}  // namespace ashlar
