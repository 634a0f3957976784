// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of VerifyProgram that is about several ranks. DataLoss says what is wrong.
#pragma once

#include "absl/status/status.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// The mesh: no more ranks than can be.
absl::Status VerifyMesh(const fb::ProgramT& program);

// The mesh, the dims that are parts of others (with `bounds` of all dims), the tensors that ranks
// share.
absl::Status VerifyRanks(const fb::ProgramT& program, const std::vector<int64_t>& bounds);

// An entry's collectives: operands in the arena that hold their shapes at the bound, each in bytes
// of its own (an all_reduce may be in place).
absl::Status VerifyCollectives(const fb::ProgramT& program, const std::vector<int64_t>& bounds,
                               const fb::EntryT& entry);

}  // namespace ashlar
