// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running a program:
//
//   auto program = BoundProgram::Load("bert.ashlar", {});
//   auto session = Session::Create(*program, {});
//   std::vector<Tensor> inputs = {{"input_ids", DType::kI64, {1, 12}, ids}}, outputs;
//   absl::Status status = (*session)->Run("forward", inputs, &outputs);
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/api/bound_program.h"
#include "runtime/api/crew.h"
#include "runtime/api/entry_plan.h"
#include "runtime/api/run_options.h"
#include "runtime/api/tensor.h"
#include "runtime/communicator/communicator.h"
#include "runtime/device/cpu/executor.h"
#include "runtime/memory/memory_pool.h"
#include "runtime/memory/memory_region.h"

namespace ashlar {

struct SessionOptions {
  // Threads that compute, the caller of Run among them; 0: one per physical core that the process
  // may use; 1: the caller's alone. They are started by the first step.
  int threads = 0;
  // Computes in place of threads of the session's own; several sessions may have the same.
  std::shared_ptr<Executor> executor;
  // The caller's memory for arena, scratch and state: PlanMemory(...).peak() bytes at a multiple of
  // 64, kept as long as the session.
  void* buffer = nullptr;
  uint64_t buffer_bytes = 0;
  // Where that memory comes from otherwise; none: the system.
  std::shared_ptr<MemoryPool> memory_pool;
  // Measure each launch (times()).
  bool profile = false;
  // Of a program that is bound for one of several ranks: the others. Where all are bound, they are
  // threads of this process, which share `threads` between them.
  std::shared_ptr<Communicator> communicator;
  // The GPU (its number for the driver) of a session on "cuda"; -1: the first. Where this process
  // runs all ranks each has that of its number.
  int gpu = -1;
  // How long one of such threads may show no sign of life; 0: kRankDeadline.
  std::chrono::milliseconds deadline{0};
};

// Bytes that a session takes, or will take. Weights are listed apart: they are shared, or mapped
// from a file.
struct MemoryUse {
  uint64_t arena = 0;    // the largest of the entries', which use it in turn, and behind it the
                         // outputs that microbatches are joined to
  uint64_t scratch = 0;  // threads times the largest kernel's
  uint64_t state = 0;
  uint64_t weights = 0;
  uint64_t peak() const { return arena + scratch + state; }
};

// Returns what a session of the program with this many threads takes, without making one.
MemoryUse PlanMemory(const fb::ProgramT& program, int threads);

// One user of a program: its arena, its state, its threads.
//
// Threading: a session is used by one thread at a time, and runs on its own threads and the
// caller's; different sessions are independent and may share program, executor and memory pool.
// Results do not depend on the number of threads.
//
// Memory: everything is taken by Create, in one piece of memory().peak() bytes beside the weights,
// or, for a rank with several stages of a pipeline, one piece for each;
// a step takes nothing, neither from the system nor from the heap, once each entry in use has run
// once with the same `outputs`.
//
// Ranks: a program for several is run by all of them, which take and give whole tensors alike. A
// step that one refuses, or of which they mean different ones, all refuse. What fails in the middle
// of a step, as when a rank has left, ends the session: every further step gives that error.
//
// Cost: Create takes some microseconds where the program is bound and the memory comes from a pool
// or is the caller's, so that a session may serve one request.
class Session {
 public:
  // Takes the memory. Errors: ResourceExhausted, InvalidArgument for a buffer that does not do;
  // NotFound and FailedPrecondition for a device that is not there or that there is no code for.
  static absl::StatusOr<std::unique_ptr<Session>> Create(
      std::shared_ptr<const BoundProgram> program, const SessionOptions& options);
  // For a program with one session: binds it, on the session's threads. Errors also as of
  // BoundProgram::Bind.
  static absl::StatusOr<std::unique_ptr<Session>> Create(std::shared_ptr<const Program> program,
                                                         const SessionOptions& options,
                                                         BindOptions bind = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Runs one step of an entry. The shapes of the inputs give the step its extents; inputs with a
  // default may be left out; integers are converted where every value fits, floats are rounded.
  // `outputs` is set to one view per output, at the step's extents, in the program's order; they
  // are valid until the next Run, Reset or the end of the session. Errors (the step has not begun,
  // state is as it was): names, shapes, elements that do not fit (they say what is expected);
  // OutOfRange for a dimension beyond its bound, or when a limit such as the context is reached;
  // Cancelled and DeadlineExceeded before the first launch. Between launches these leave the state
  // of a program that has one undefined: Run refuses more steps (FailedPrecondition) until Reset or
  // SetCounter. Where a kernel fails on a device, state is what the launches before it made of it.
  absl::Status Run(std::string_view entry, const std::vector<Tensor>& inputs,
                   std::vector<Tensor>* outputs, const RunOptions& options = {});

  // Makes all state zero, as at the start.
  void Reset();

  // Sets all elements of an I64 state, such as the number of tokens in a cache. NotFound lists the
  // states; OutOfRange for a value that is negative or beyond the state's limit.
  absl::Status SetCounter(std::string_view state, int64_t value);

  // Sequences that the state has room for, each with a part of every state and an element of every
  // counter; 0 without state.
  int64_t sequences() const;

  // Whether the ranks of a program for several share the sequences of a step among them: a sequence
  // stays where it is only while the number of sequences does.
  bool shares_sequences() const;

  // Sets the first elements of a counter, one per sequence of the steps to come. Errors as of
  // SetCounter.
  absl::Status SetCounters(std::string_view state, const std::vector<int64_t>& values);

  // The elements of a counter, one per sequence. NotFound lists the counters; Unimplemented where
  // ranks share the sequences.
  absl::StatusOr<std::vector<int64_t>> Counters(std::string_view state) const;

  // Makes sequence `to` what sequence `from` is: caches, counters and all. Errors: OutOfRange;
  // Unimplemented where ranks share the sequences; the device's.
  absl::Status CopySequence(int64_t from, int64_t to);

  // Writes the state to a file, under a temporary name that is then renamed, with a `note` of the
  // caller's beside it. Bytes that are zero take no room. Errors: those of writing;
  // FailedPrecondition after a step that was stopped halfway; Unimplemented where other processes
  // have parts of the state; the device's.
  absl::Status SaveState(const std::string& path, std::string_view note = "") const;

  // Makes the state what it was when the file was written, by a session of the same program with
  // the same weights, and returns the note. Errors: those of reading; DataLoss for a file that is
  // damaged, FailedPrecondition for one of another program or other weights, or whose counters are
  // beyond their limits. The state is then as it was; a device's error leaves none to go on with.
  absl::StatusOr<std::string> LoadState(const std::string& path);

  // Whether a pointer leads into the session's memory, where its outputs are.
  bool Owns(const void* data) const;

  const Program& program() const { return bound_->program(); }
  const BoundProgram& bound_program() const { return *bound_; }
  // For more sessions of it.
  const std::shared_ptr<const BoundProgram>& shared_program() const { return bound_; }
  const Weights& weights() const { return bound_->weights(); }
  int threads() const { return executor_->size(); }
  Executor& executor() { return *executor_; }
  // The --cpu name of the machine code in use, "emulator" or "cuda".
  std::string cpu() const { return bound_->code_name(); }
  MemoryUse memory() const;

  // Times of the entry's launches since the start or ClearTimes, one per launch; zeros unless
  // options.profile.
  const std::vector<LaunchTime>& times(int entry) const { return entries_[entry]->times(); }
  void ClearTimes();

  // How long the kernels of the last step took by the device's clock, without the copies of inputs
  // and outputs; negative on the CPU and the emulator.
  double last_device_ms() const { return device_ms_; }
  // What computes the products that a vendor's library could, and what memory that takes beside
  // memory(), in words: "cuBLASLt 13.0.2, 5 of 5 plain products, a workspace of 0 bytes", "the
  // program's own kernels"; empty: there are none.
  std::string library() const { return launcher_->library(); }

  // The extents of the last step that ran, one per dim of the program, and how many microbatches
  // it ran in.
  const std::vector<int64_t>& last_dims() const { return dims_; }
  size_t last_microbatches() const { return last_parts_; }
  // Those of its last microbatch, to whose launches times() are close: others may have a sequence
  // more.
  const std::vector<int64_t>& last_microbatch_dims() const { return part_dims_; }

 private:
  Session(std::shared_ptr<const BoundProgram> program, std::shared_ptr<Executor> executor,
          const SessionOptions& options);
  absl::Status AddPeers(const SessionOptions& options);
  absl::Status JoinRanks(const SessionOptions& options);
  absl::Status RunRank(EntryPlan& plan, const std::vector<Tensor>& inputs,
                       std::vector<Tensor>* outputs, const RunOptions& options);
  absl::Status Prepare(EntryPlan& plan, const std::vector<Tensor>& inputs,
                       const RunOptions& options);
  absl::Status PreparePart(EntryPlan& plan, const std::vector<Tensor>& whole, size_t part);
  // All microbatches, through all stages of this rank.
  absl::Status RunParts(EntryPlan& plan, const std::vector<Tensor>& inputs,
                        const RunOptions& options);
  // One microbatch, through this stage.
  absl::Status RunPart(EntryPlan& plan, const std::vector<Tensor>& inputs, size_t part,
                       const RunOptions& options);
  absl::Status CheckWeights() const;
  EntryPlan* FindPlan(std::string_view entry) const;
  absl::Status AddEarlierStages(const SessionOptions& options);
  // Whether all ranks are about to make the same step.
  absl::Status Agree(const fb::EntryT& entry, const absl::Status& prepared);
  absl::Status TakeMemory(const SessionOptions& options);
  absl::Status MakePlans(int gpu);
  absl::Status JoinDevices();
  absl::Status CheckLimits(const fb::EntryT& entry, const std::vector<int64_t>& dims,
                           int64_t first_row) const;
  int64_t CounterLimit(const fb::StateT& state) const;
  const std::vector<fb::Cut>* SequenceCuts(const fb::StateT& state) const;
  absl::StatusOr<const fb::StateT*> FindCounter(std::string_view name) const;
  absl::Status CheckCounter(const fb::StateT& state, int64_t value) const;
  std::vector<const Session*> Ranks() const;
  // What has state in this process: of every rank all stages.
  std::vector<const Session*> Stages() const;
  bool has_state() const;
  absl::Status CheckStateIsHere(const char* what) const;
  uint64_t StateIdentity() const;
  void SetOutputs(const EntryPlan& plan, std::vector<Tensor>* outputs) const;

  std::shared_ptr<const BoundProgram> bound_;
  std::shared_ptr<Executor> executor_;
  bool profile_;
  bool interrupted_ = false;  // the last step was stopped halfway, and there is state
  MemoryUse planned_;
  std::shared_ptr<MemoryPool> memory_pool_;
  MemoryRegion memory_;  // arena, joined outputs, scratch, state, in this order
  char* joined_outputs_ = nullptr;
  char* scratch_ = nullptr;
  char* state_ = nullptr;
  uint64_t scratch_stride_ = 0;
  std::unique_ptr<Launcher> launcher_;
  std::vector<std::unique_ptr<EntryPlan>> entries_;
  std::shared_ptr<Communicator> communicator_;         // null: one rank
  std::shared_ptr<Communicator> device_communicator_;  // of data, from the first step on
  std::vector<int> everyone_;
  bool has_met_ = false;
  std::vector<std::unique_ptr<Session>> peers_;  // on the crew's threads
  std::unique_ptr<Crew> crew_;
  // Of a rank with several stages of a pipeline: all but the last, which is this session's own.
  // They have memory, states and plans, and run when this one says so.
  std::vector<std::unique_ptr<Session>> earlier_;
  std::vector<std::pair<Session*, EntryPlan*>> rank_stages_;  // of the step, in their order
  std::vector<int64_t> dims_, next_dims_;  // of the last step that ran, and of the one that may
  std::vector<int64_t> part_dims_;         // of the microbatch at hand
  size_t last_parts_ = 1;                  // how many microbatches the last step had
  double device_ms_ = -1;
};

}  // namespace ashlar
