// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An entry made ready: operands as addresses, so that a step only evaluates extents.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "runtime/api/collective_step.h"
#include "runtime/api/input_values.h"
#include "runtime/api/launcher.h"
#include "runtime/api/microbatches.h"
#include "runtime/api/run_options.h"
#include "runtime/program/artifact_generated.h"

namespace ashlar {

// Time that a launch has taken so far.
struct LaunchTime {
  int64_t steps = 0;
  double total_us = 0;
  double min_us = 0;
};

// One entry of one session; used by one thread at a time. Steps allocate nothing.
class EntryPlan {
 public:
  EntryPlan(const fb::ProgramT& program, const fb::EntryT& entry, const SpaceBases& bases,
            int rank = 0);

  const fb::EntryT& entry() const { return entry_; }
  InputValues& inputs() { return inputs_; }
  Microbatches& microbatches() { return microbatches_; }

  // Cancelled or DeadlineExceeded where the options say to stop; names the launch that is next.
  absl::Status CheckStop(size_t launch, const RunOptions& options) const;

  // Runs the launches in order at these dims, up to the first that fails. Errors also: those of
  // CheckStop, before each launch but the first. `communicator` is null where one rank runs the
  // program. Of a step in several microbatches this runs the one whose sequences begin at
  // `first_row`, and leaves out the deliveries. Sends that are started go on afterwards, so that
  // this rank may turn to another one of its stages: FinishSends comes before anything else happens
  // to this entry's arena.
  absl::Status Run(const std::vector<int64_t>& dims, int64_t first_row, Launcher& launcher,
                   Communicator* communicator, bool profile, const RunOptions& options);
  absl::Status FinishSends();

  // For a step in several microbatches, whose outputs are joined in a block, one behind the other:
  // puts those of one of them there, where this rank makes them, and afterwards brings all of them
  // to all ranks.
  uint64_t output_offset(size_t output) const { return outputs_[output].offset; }
  void CollectOutputs(size_t microbatch, const std::vector<int64_t>& dims, const char* arena,
                      char* block) const;
  absl::Status DeliverOutputs(const std::vector<int64_t>& dims, char* block,
                              Communicator* communicator);

  const std::vector<LaunchTime>& times() const { return times_; }
  void ClearTimes() { times_.assign(launches_.size(), LaunchTime()); }

 private:
  // The collectives before this launch, or at the end.
  absl::Status RunCollectives(size_t launch, const std::vector<int64_t>& dims, Launcher& launcher,
                              Communicator* communicator);
  void SetFirstRow(int64_t first_row);

  // A launch's operand in a state, of which each sequence has so many bytes.
  struct StateOperand {
    size_t launch, operand;
    uint64_t row_bytes;
  };
  struct Output {
    uint64_t offset;      // in the block
    bool is_made = true;  // here, not by another stage
  };

  const fb::EntryT& entry_;
  InputValues inputs_;
  Microbatches microbatches_;
  std::vector<StateOperand> state_operands_;
  int64_t first_row_ = 0;
  std::vector<Output> outputs_;
  std::vector<size_t> delivered_;  // the output of each delivery
  std::vector<PreparedLaunch> launches_;
  std::vector<CollectiveStep> collectives_;
  size_t next_collective_ = 0, end_collective_ = 0;
  std::vector<size_t> sends_;  // collectives that are to be finished
  std::vector<LaunchTime> times_;
};

}  // namespace ashlar
