// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the ranks that a launcher has started find each other: rank 0 listens where all know, tells
// the others where each of them listens, and every pair connects.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ashlar {

// Connects rank `rank` of `size` with all others; rank 0 listens at `port`, where the others look
// for it at `host`. Gives the sockets by rank, which are the caller's to close; this one's is -1.
// DeadlineExceeded names the ranks that have not come in time.
absl::StatusOr<std::vector<int>> MeetRanks(int rank, int size, const std::string& host, int port,
                                           std::chrono::milliseconds deadline);

}  // namespace ashlar
