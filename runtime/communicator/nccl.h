// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranks as GPUs, through NCCL: the data of a call are in the device's memory.
//
// NCCL neither compares what ranks do nor waits with a deadline, so each rank has a second way to
// the others, a communicator in host memory (`control`: loopback between threads, MPI between
// processes). Before data move, the ranks come together there: who is late, has left or issues
// something else is found out, and named, as everywhere. It also carries what ranks of a group find
// each other by (ncclUniqueId). NCCL's own calls do not block; their communicators and events are
// polled, up to the deadline of `control`, and aborted behind it.
//
// Groups get a communicator of NCCL's when they are first used, messages share the one of all
// ranks. Collectives are issued by Start, in its order, messages that were started one after the
// other together by the first Wait (or Start of a collective) behind them, so that two that cross
// do not wait for each other. Ranks that start the collectives of two groups in opposite orders
// wait for each other until the deadline: every rank issues all its calls in the order of the
// program.
//
// Sums: all ranks of an all-reduce get the same bits, but NCCL adds in an order that depends on the
// number of ranks, the size and the links, and rounds 16-bit floats at each addition. Another
// machine, or another version of NCCL, may give other bits.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "runtime/communicator/communicator.h"
#include "runtime/device/cuda/driver.h"

namespace ashlar {

struct NcclOptions {
  std::shared_ptr<const cuda::Driver> driver;
  // The caller's: a call takes what has been put in before it is started.
  CUstream_st* stream = nullptr;
};

// Joins the ranks of `control`, all of which call this at the same time, each on a thread in which
// its device's context is current, as it is in every later call. NotFound where there is no NCCL.
absl::StatusOr<std::unique_ptr<Communicator>> JoinNccl(std::shared_ptr<Communicator> control,
                                                       const NcclOptions& options);

}  // namespace ashlar
