// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Collectives made of messages, in host memory.
//
// Before data move, every pair that exchanges some compares what it is about to do (128 bytes each
// way). A reduction sends every rank its block of all inputs, sums it in the order of the places,
// and gathers the blocks: 2 (n - 1) / n of the bytes, in two steps. Calls that are under way at
// once are told apart by their tags (message_tags.h). After an error nothing that was under way
// touches the callers' memory any more, as far as the transport can take it back.
#pragma once

#include <chrono>
#include <memory>

#include "runtime/communicator/communicator.h"
#include "runtime/communicator/transport.h"

namespace ashlar {

// The end of this rank, which leaves when it is destroyed.
std::unique_ptr<Communicator> MakeMessages(std::unique_ptr<Transport> transport,
                                           std::chrono::milliseconds deadline);

}  // namespace ashlar
