// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pipeline's program seen by the ranks of one stage: a program like any other, with the weights,
// states and entries that are theirs. What loads and runs a program knows of nothing else.
#pragma once

#include "absl/status/status.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// How many ranks a pipeline has one behind the other; 1 where there are no stages.
int PlaceCount(const fb::ProgramT& program);
// How many stages each rank has: stage s is of the ranks of place s % PlaceCount.
int ChunkCount(const fb::ProgramT& program);
// The stage of a rank that is its chunk of this number, its only one or several; 0 where there are
// none.
int StageOf(const fb::ProgramT& program, int rank, int chunk);

// What the ranks of a stage run: the program's own kernels, constants and dims, the stage's
// weights, states and entries. For a program that has that stage.
fb::ProgramT ProjectStage(const fb::ProgramT& program, int stage);

// The part of VerifyProgram that is about what the stages have in common: that each rank has one,
// that all have the same entries, and that nothing is left to the program itself but constants.
absl::Status VerifyStages(const fb::ProgramT& program);

}  // namespace ashlar
