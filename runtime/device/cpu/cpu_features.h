// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What this CPU can run, in LLVM's spelling, and which of a program's images suits it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// Returns the features that the CPU has and the operating system keeps the registers of: "avx2",
// "fma", "avx512f", "amx-tile", ... Asks the kernel once for leave to use AMX where there is AMX.
const std::set<std::string>& HostFeatures();

// Returns the CPU's name as it gives it, "unknown" where it does not.
std::string HostCpuName();

// Returns the index of the image to use: of those whose features are all in `host`, the one that
// asks for most (the later of equals). FailedPrecondition lists, per image, what this machine
// lacks.
absl::StatusOr<int> ChooseImage(const std::vector<std::unique_ptr<fb::ImageT>>& images,
                                const std::set<std::string>& host);

}  // namespace ashlar
