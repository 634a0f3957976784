// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pipeline's program seen by the ranks of one stage: a program like any other, with the weights,
// states and entries that are theirs. Nothing beyond this file knows of fb::Stage.
#pragma once

#include "absl/status/status.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// The stage of a rank; 0 where there are none.
int StageOf(const fb::ProgramT& program, int rank);

// What the ranks of a stage run: the program's own kernels, constants and dims, the stage's
// weights, states and entries. For a program that has that stage.
fb::ProgramT ProjectStage(const fb::ProgramT& program, int stage);

// The part of VerifyProgram that is about what the stages have in common: that each rank has one,
// that all have the same entries, and that nothing is left to the program itself but constants.
absl::Status VerifyStages(const fb::ProgramT& program);

}  // namespace ashlar
