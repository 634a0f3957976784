// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranks as threads of one process. They share memory, so nothing is sent: a call waits until all of
// its group have come, then each rank does its share of the work on everybody's memory (an
// all-reduce's share is a range of the elements, which it sums over all inputs and writes to all
// outputs), and the call is over when all shares are done. An all-reduce of B bytes over n ranks
// thus reads and writes n B bytes in all, each once.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "runtime/communicator/communicator.h"

namespace ashlar {

// Returns the ends of `ranks` ranks, one for each thread. A rank without a sign of life for
// `deadline` is late; one whose end is destroyed has left.
std::vector<std::unique_ptr<Communicator>> MakeLoopback(
    int ranks, std::chrono::milliseconds deadline = kRankDeadline);

}  // namespace ashlar
