// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Messages between processes that do not block: what a communicator in host memory is made of.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar {

// Messages of one rank to another with one tag arrive in order. Used by one thread at a time.
class Transport {
 public:
  using Request = void*;
  virtual ~Transport() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  // "mpi", "tcp"
  virtual std::string_view name() const = 0;

  // Begins; the memory is the caller's until Test says that it is over.
  virtual absl::Status Send(const void* data, int64_t bytes, int to, int tag, Request* request) = 0;
  virtual absl::Status Receive(void* data, int64_t bytes, int from, int tag, Request* request) = 0;
  // Whether the request is over, which ends it: then it is null, and stays over. Unavailable where
  // the other rank is known to have left.
  virtual absl::StatusOr<bool> Test(Request* request) = 0;
  // Takes a request back, which is null then: the caller's memory is not touched any more, and what
  // has begun goes on in other memory. MPI can take back neither what it is sending nor what it has
  // begun to receive; it goes on with those only while it is called, or where the other rank reads
  // this one's memory itself.
  virtual void Cancel(Request* request) = 0;

  // Nothing is sent any more; where the run has failed, it may be ended for all ranks.
  virtual void Leave(bool failed) = 0;
};

}  // namespace ashlar
