// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running a program:
//
//   auto program = Program::Load("bert.ashlar");
//   auto session = Session::Create(*program, {});
//   std::vector<Tensor> inputs = {{"input_ids", DType::kI64, {1, 12}, ids}}, outputs;
//   absl::Status status = (*session)->Run("forward", inputs, &outputs);
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/api/entry_plan.h"
#include "runtime/api/tensor.h"
#include "runtime/memory/weights.h"
#include "runtime/program/program.h"

namespace ashlar {

struct SessionOptions {
  // What runs the kernels: "cpu", "cuda" for the first GPU, or "cuda-emulator" for a program that
  // was compiled for the CUDA emulator.
  std::string device = "cpu";
  // Threads that compute, the caller of Run among them; 0: one per physical core that the process
  // may use.
  int threads = 0;
  // Where the checkpoint lies, in place of where the artifact says.
  std::string weights_directory;
  // Weights that another session of the same program has bound (its weights()); none: bind them.
  std::shared_ptr<const Weights> weights;
  // Where packed weights are kept between runs (weights_cache.h); weights()->cache() tells what
  // came of it.
  CacheOptions cache;
  // Measure each launch (times()).
  bool profile = false;
};

// Bytes that a session takes, or will take. Weights are listed apart: they are shared, or mapped
// from a file.
struct MemoryUse {
  uint64_t arena = 0;    // the largest of the entries', which use it in turn
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
// caller's; different sessions are independent and may share a Program and Weights. Results do not
// depend on the number of threads.
//
// Memory: everything is taken by Create, in one piece of memory().peak() bytes beside the weights;
// a step takes nothing, neither from the system nor from the heap, once each entry in use has run
// once with the same `outputs`.
class Session {
 public:
  // Chooses the machine code for this CPU, binds the weights, takes the memory. Errors:
  // FailedPrecondition when the machine cannot run the code, those of Weights::Bind,
  // ResourceExhausted.
  static absl::StatusOr<std::unique_ptr<Session>> Create(std::shared_ptr<const Program> program,
                                                         const SessionOptions& options);

  // Runs one step of an entry. The shapes of the inputs give the step its extents; inputs with a
  // default may be left out; integers are converted where every value fits, floats are rounded.
  // `outputs` is set to one view per output, at the step's extents, in the program's order; they
  // are valid until the next Run, Reset or the end of the session. Errors (the step has not begun,
  // state is as it was): names, shapes, elements that do not fit (they say what is expected);
  // OutOfRange for a dimension beyond its bound, or when a limit such as the context is reached.
  // Where a kernel fails on an emulated device, state is what the launches before it made of it.
  absl::Status Run(std::string_view entry, const std::vector<Tensor>& inputs,
                   std::vector<Tensor>* outputs);

  // Makes all state zero, as at the start.
  void Reset();

  // Sets all elements of an I64 state, such as the number of tokens in a cache. NotFound lists the
  // states.
  absl::Status SetCounter(std::string_view state, int64_t value);

  const Program& program() const { return *program_; }
  const std::shared_ptr<const Weights>& weights() const { return weights_; }
  int threads() const { return pool_.size(); }
  ThreadPool& pool() { return pool_; }
  // The --cpu name of the machine code in use, or its --cuda-arch.
  const std::string& cpu() const { return code_name_; }
  MemoryUse memory() const;

  // Times of the entry's launches since the start or ClearTimes, one per launch; zeros unless
  // options.profile.
  const std::vector<LaunchTime>& times(int entry) const { return entries_[entry]->times(); }
  void ClearTimes();

  // The extents of the last step that ran, one per dim of the program.
  const std::vector<int64_t>& last_dims() const { return dims_; }

 private:
  Session(std::shared_ptr<const Program> program, const SessionOptions& options);
  absl::Status Prepare(const SessionOptions& options);
  absl::StatusOr<int> ChooseCpuImage() const;
  absl::Status CheckLimits(const fb::EntryT& entry, const std::vector<int64_t>& dims) const;
  void SetOutputs(const fb::EntryT& entry, std::vector<Tensor>* outputs) const;

  std::shared_ptr<const Program> program_;
  ThreadPool pool_;
  bool profile_;
  std::string code_name_;
  std::unique_ptr<Launcher> launcher_;
  std::shared_ptr<const Weights> weights_;
  MemoryUse planned_;
  MemoryRegion memory_;  // arena, scratch, state, in this order
  char* scratch_ = nullptr;
  char* state_ = nullptr;
  uint64_t scratch_stride_ = 0;
  std::vector<std::unique_ptr<EntryPlan>> entries_;
  std::vector<int64_t> dims_, next_dims_;  // of the last step that ran, and of the one that may
};

}  // namespace ashlar
