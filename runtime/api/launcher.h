// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the launches of a session run: on the CPU's threads, on a GPU, or on an emulated one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/communicator/communicator.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

class Tracer;

// A launch made ready: operands as addresses, and the extents of the step.
struct PreparedLaunch {
  int index = 0;  // in the entry
  const fb::LaunchT* schema = nullptr;
  const fb::KernelT* kernel = nullptr;
  std::vector<void*> buffers;
  std::vector<uint64_t> bytes;   // of each operand, at the bound
  std::vector<int64_t> extents;  // the kernel's, and one place behind them for the launcher's use
};

// Where the spaces lie.
struct SpaceBases {
  char* arena = nullptr;
  const char* weights = nullptr;
  const char* constants = nullptr;
  char* state = nullptr;
};

// Used by one thread at a time.
class Launcher {
 public:
  virtual ~Launcher() = default;

  // Where kernels find the spaces: the session's own memory, or a device's.
  virtual SpaceBases Bases(const SpaceBases& session) const { return session; }

  // What every further step would meet: the device's failure. OK where there is none.
  virtual absl::Status Failure() const { return absl::OkStatus(); }

  // The session's state has been made zero.
  virtual void ForgetState() {}

  // Whether the state is in the device's memory. The session's then has the counters, and what
  // these three move: the rest of the state to the session's memory and back, and bytes within the
  // device's, by offsets from the state's beginning.
  virtual bool has_state() const { return false; }
  virtual absl::Status ReadState() { return absl::OkStatus(); }
  virtual absl::Status WriteState() { return absl::OkStatus(); }
  virtual absl::Status CopyState(uint64_t to, uint64_t from, uint64_t bytes) {
    return absl::OkStatus();
  }

  // Around the launches of a step, or of one of its microbatches, whose inputs lie in the session's
  // arena, as its outputs do afterwards, with the counters in its state. Launches with the same
  // extents and the same first row (of the sequences in the states) have the same addresses.
  virtual absl::Status Begin(const fb::EntryT& entry, const std::vector<int64_t>& dims,
                             int64_t first_row) {
    return absl::OkStatus();
  }
  virtual absl::Status End(const fb::EntryT& entry, const std::vector<int64_t>& dims) {
    return absl::OkStatus();
  }

  // Runs the launch to its end. An error is the kernel's, or the device's, and names both the
  // kernel and the layer. Where it traces workers, their parts go to the tracer, if there is one.
  virtual absl::Status Run(PreparedLaunch& launch, Tracer* tracer) = 0;

  // What moves data between the ranks' spaces, where the ranks speak to each other through
  // `control`, in the host's memory. All ranks call this at the same time; it stays.
  virtual absl::StatusOr<std::shared_ptr<Communicator>> Join(
      const std::shared_ptr<Communicator>& control) {
    return control;
  }
  // A collective comes next: what was run before is given to the device, on which it runs behind
  // it.
  virtual absl::Status BeginCollective() { return absl::OkStatus(); }
  // Around collectives, as launches are: copies rows of bytes within the spaces, each side with a
  // stride of its own, and writes a number there.
  virtual absl::Status CopyRows(char* to, int64_t to_stride, const char* from, int64_t from_stride,
                                int64_t row_bytes, int64_t rows);
  virtual absl::Status Store(char* to, int64_t value);

  // The time of the last step's launches on the device, by its own clock, without copies of inputs
  // and outputs; negative where there is none.
  virtual double device_ms() const { return -1; }
  // What computes the products that a vendor's library could, and what memory that takes beside the
  // arena, in words; empty: there are none.
  virtual std::string library() const { return ""; }
  virtual bool traces_workers() const { return false; }
};

}  // namespace ashlar
