// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranks as processes that a launcher such as torchrun has started, on one host or several, in host
// memory: collectives made of messages (messages.h) over one TCP connection for each pair.
//
// What the launcher says is in the environment: RANK of WORLD_SIZE, and MASTER_ADDR and
// MASTER_PORT, where rank 0 listens and the others find it. torchrun itself listens at that port
// (then TORCHELASTIC_USE_AGENT_STORE is True): rank 0 takes the next one. A rank that dies closes
// its connections, which the others know at once. Who comes to the port and does not say that it is
// a rank is let go, and holds up nobody. There is no encryption and no password: whoever reaches
// the port can take part, so that it belongs into a network of its own.
#pragma once

#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "runtime/communicator/communicator.h"

namespace ashlar {

// Whether a launcher has started this process as one of several.
bool IsUnderLauncher();

// Joins the processes that the launcher has started; waits a minute for them. FailedPrecondition
// where the environment does not say all, DeadlineExceeded names the ranks that have not come.
absl::StatusOr<std::unique_ptr<Communicator>> JoinTcp(
    std::chrono::milliseconds deadline = kRankDeadline);

}  // namespace ashlar
