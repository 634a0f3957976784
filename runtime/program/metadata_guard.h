// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns the metadata section into the object API, without trusting it.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// FlatBuffers' own verifier leaves two things open: vectors of 64-bit elements may be misaligned,
// and one big vector may be referred to many times, so that unpacking takes memory out of all
// proportion. Both are refused here, then the buffer is unpacked. What the fields mean is
// VerifyProgram's to check. Errors: DataLoss.
absl::StatusOr<std::unique_ptr<fb::ProgramT>> UnpackMetadata(std::string_view bytes);

}  // namespace ashlar
