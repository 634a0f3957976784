// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the launches of a program that was compiled for the CUDA emulator: what a device would do,
// on the session's memory, with every access held against its operand's bytes.
#pragma once

#include <memory>

#include "runtime/api/launcher.h"
#include "runtime/device/cpu/executor.h"
#include "runtime/program/program.h"

namespace ashlar {

// Returns a launcher for the program's emulator image. FailedPrecondition where it has none, or one
// for another version of the emulator, or where this build has no emulator. Program and pool
// outlive the launcher.
absl::StatusOr<std::unique_ptr<Launcher>> CreateEmulatedLauncher(const Program& program,
                                                                 Executor& pool);

}  // namespace ashlar
