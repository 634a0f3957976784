// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranks as processes under mpirun, on one host or several, in host memory.
//
// Collectives are made of messages (messages.h), not by MPI's own: those wait without end for a
// rank that does not come, and may sum in any order.
#pragma once

#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "runtime/communicator/communicator.h"

namespace ashlar {

// Joins the processes that mpirun has started; once per process, and for as long as it lives. Where
// the run has failed, its end stops all processes (MPI_Abort), after a moment for the others' own
// errors. NotFound where there is no MPI, FailedPrecondition where it was not mpirun that started
// the process.
absl::StatusOr<std::unique_ptr<Communicator>> JoinMpi(
    std::chrono::milliseconds deadline = kRankDeadline);

// From now on SIGTERM, by which mpirun ends the processes that are left when one has died, writes
// to stderr what this rank was waiting for. A process has one handler, so this is the program's
// choice.
void ReportTermination();

}  // namespace ashlar
