// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes an artifact. It holds no logic: what is given is what is in the file.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "runtime/program/artifact_file.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// Takes the next bytes of a stream.
using ByteSink = std::function<absl::Status(std::string_view)>;

// Streams the weights region, program.weights_bytes bytes in all, into the sink, piece by piece.
using WeightsStream = std::function<absl::Status(const ByteSink&)>;

// Creates or replaces the file at once: on an error what was there before stays. `weights` is given
// when program.weight_source is Embedded, and then only (InvalidArgument otherwise).
absl::Status WriteArtifact(const std::string& path, const fb::ProgramT& program,
                           std::string_view code, std::string_view constants,
                           const WeightsStream& weights = nullptr);

// Creates or replaces the file at once with an artifact that has this program as its metadata and
// all else of `from`, which may be the same file: code, constants and weights are those that there
// are, at the alignment that they have. Weights are not looked at; their checksum goes with them.
absl::Status RewriteArtifact(const std::string& path, const fb::ProgramT& program,
                             const ArtifactFile& from);

}  // namespace ashlar
