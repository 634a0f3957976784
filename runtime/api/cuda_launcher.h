// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the steps of a program on a GPU, through the driver alone. The device has its own arena,
// state and weights; the session's are the host's side of inputs, outputs and counters. The
// launches of an entry at certain extents are recorded once as a CUDA graph and replayed from then
// on: everything that changes from step to step is read from the device's memory.
//
// Several ranks have a GPU each, and NCCL between them: a recording ends where a collective moves
// data, and another one begins behind it.
//
// Errors name the call, the device and the entry. What a kernel did wrong shows where the device is
// next waited for; with the environment variable ASHLAR_CUDA_SYNC=1 (or a profiling session) there
// are no graphs and each launch is waited for, so that the error names the kernel and the layer.
#pragma once

#include <memory>

#include "runtime/api/launcher.h"
#include "runtime/memory/weights.h"
#include "runtime/program/program.h"

namespace ashlar {

// `host` are the session's spaces, which outlive the launcher as the program does; `weights` are
// uploaded to the GPU of this number. NotFound where there is no driver or no such device,
// FailedPrecondition where the program has no code for it.
absl::StatusOr<std::unique_ptr<Launcher>> CreateCudaLauncher(const Program& program,
                                                             const SpaceBases& host,
                                                             uint64_t arena_bytes,
                                                             bool wait_for_each, int gpu = 0);

}  // namespace ashlar
