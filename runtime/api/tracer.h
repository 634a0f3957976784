// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A timeline of steps: which worker ran which launch when, in the Chrome trace format, which
// Perfetto (ui.perfetto.dev) and chrome://tracing open.
//
//   Tracer tracer(session->program().metadata(), session->threads());
//   RunOptions options;
//   options.tracer = &tracer;
//   session->Run("forward", inputs, &outputs, options);
//   tracer.Write("forward.json");
//
// Each worker is a row. A launch's piece on a row spans from its first item there to the end of its
// last one, and has the layer's path and, by its share of the launch's items, bytes and operations
// (work.h; caches at their full room). Time in no piece is waiting.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// Used by one session at a time. The program outlives it.
class Tracer {
 public:
  // Memory for `pieces` of each worker is taken here; what comes after them is only counted.
  Tracer(const fb::ProgramT& program, int workers, size_t pieces = 1 << 16);

  // Called by the session, around a step.
  void BeginStep(const fb::EntryT& entry, const std::vector<int64_t>& dims);
  void EndStep();

  // Called by `worker`, on its own thread: it has just done `items` of the launch since `begin`, or
  // all that there are.
  static constexpr int64_t kAllItems = -1;
  using Clock = std::chrono::steady_clock;
  void Record(int worker, int launch, int64_t items, Clock::time_point begin);

  // Pieces that found no room.
  int64_t dropped() const;

  // Creates or replaces the file.
  absl::Status Write(const std::string& path) const;

 private:
  struct Piece {
    int32_t step, launch;
    int64_t items;
    int64_t begin_ns, end_ns;  // since the tracer was made
  };
  struct alignas(64) Row {
    std::vector<Piece> pieces;
    int64_t dropped = 0;
  };
  struct Step {
    const fb::EntryT* entry;
    std::vector<int64_t> dims;
    int64_t begin_ns, end_ns;
  };
  int64_t Nanoseconds(Clock::time_point time) const;

  const fb::ProgramT& program_;
  const Clock::time_point start_ = Clock::now();
  const size_t capacity_;
  std::vector<Row> rows_;  // of each worker
  std::vector<Step> steps_;
};

}  // namespace ashlar
