// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Part of VerifyProgram: an entry whose steps run in several microbatches.
#pragma once

#include "absl/status/status.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// That inputs and outputs have the batch along one axis at most (outputs along one), that states
// are shared among sequences and kernels are given them from their beginning, and that deliveries
// are messages of outputs. For an entry that is verified otherwise. Errors are DataLoss.
absl::Status VerifyMicrobatches(const fb::ProgramT& program, const fb::EntryT& entry);

}  // namespace ashlar
