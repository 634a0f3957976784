// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/cuda_launcher.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "runtime/api/cuda_kernels.h"
#include "runtime/base/dtype.h"
#include "runtime/base/math.h"
#include "runtime/base/status.h"
#include "runtime/communicator/nccl.h"
#include "runtime/device/cuda/device.h"
#include "runtime/program/artifact_format.h"
#include "runtime/program/extent.h"

namespace ashlar {
namespace {

using cuda::DevicePointer;

// Graphs that are kept, the latest used, for each microbatch that a step may have; extents that
// come and go must not fill the device.
constexpr size_t kMaxGraphs = 64;

int64_t BytesAt(const fb::ValueT& value, const std::vector<int64_t>& dims) {
  int64_t bytes = DTypeSize(static_cast<DType>(value.dtype));
  for (const auto& extent : value.shape) bytes *= Evaluate(*extent, dims.data());
  return bytes;
}

class CudaLauncher : public Launcher {
 public:
  CudaLauncher(const Program& program, const SpaceBases& host, std::unique_ptr<cuda::Device> device,
               bool wait_for_each)
      : program_(program), host_(host), device_(std::move(device)), wait_for_each_(wait_for_each) {
    for (const auto& entry : program.metadata().entries)
      most_graphs_ = std::max(most_graphs_, kMaxGraphs * entry->microbatches);
  }

  ~CudaLauncher() override {
    if (!device_->MakeCurrent().ok()) return;
    communicator_ = nullptr;
    Abandon();
    for (const auto& [key, graph] : graphs_) Forget(graph);
    kernels_.reset();
  }

  // Takes the device's memory and fills what does not change.
  absl::Status Prepare(uint64_t arena_bytes) {
    const fb::ProgramT& metadata = program_.metadata();
    ASHLAR_ASSIGN_OR_RETURN(kernels_, CudaKernels::Create(program_, *device_));
    uint64_t arena = RoundUp(arena_bytes, kBufferAlignment);
    ASHLAR_ASSIGN_OR_RETURN(arena_,
                            device_->Allocate(arena + metadata.state_bytes, "arena and state"));
    state_ = arena_ + arena;
    std::string_view constants = program_.constants();
    uint64_t weights = RoundUp(metadata.weights_bytes, kBufferAlignment);
    ASHLAR_ASSIGN_OR_RETURN(weights_, device_->Allocate(weights + constants.size(), "weights"));
    constants_ = weights_ + weights;
    ASHLAR_RETURN_IF_ERROR(device_->Upload(weights_, host_.weights, metadata.weights_bytes));
    ASHLAR_RETURN_IF_ERROR(device_->Upload(constants_, constants.data(), constants.size()));
    // Before the first step: nothing is asked for later.
    return kernels_->FindProducts(cuda::LibraryProducts::Which::kChosen);
  }

  SpaceBases Bases(const SpaceBases&) const override {
    SpaceBases bases;
    bases.arena = reinterpret_cast<char*>(arena_);
    bases.state = reinterpret_cast<char*>(state_);
    bases.weights = reinterpret_cast<const char*>(weights_);
    bases.constants = reinterpret_cast<const char*>(constants_);
    return bases;
  }

  absl::Status Failure() const override { return device_->failure(); }
  void ForgetState() override { state_is_new_ = true; }

  bool has_state() const override { return true; }
  absl::Status ReadState() override {
    ASHLAR_RETURN_IF_ERROR(BeginState());
    for (const auto& state : program_.metadata().states)
      if (!IsCounter(*state))
        ASHLAR_RETURN_IF_ERROR(
            device_->CopyOut(host_.state + state->offset, state_ + state->offset, state->bytes));
    return device_->Synchronize("reading the session's state");
  }
  absl::Status WriteState() override {
    ASHLAR_RETURN_IF_ERROR(BeginState());
    for (const auto& state : program_.metadata().states)
      if (!IsCounter(*state))
        ASHLAR_RETURN_IF_ERROR(
            device_->CopyIn(state_ + state->offset, host_.state + state->offset, state->bytes));
    return device_->Synchronize("writing the session's state");
  }
  absl::Status CopyState(uint64_t to, uint64_t from, uint64_t bytes) override {
    ASHLAR_RETURN_IF_ERROR(BeginState());
    return device_->Copy(state_ + to, state_ + from, bytes);
  }

  absl::Status Begin(const fb::EntryT& entry, const std::vector<int64_t>& dims,
                     int64_t first_row) override {
    ASHLAR_RETURN_IF_ERROR(BeginState());
    ASHLAR_RETURN_IF_ERROR(CopyCounters(/*in=*/true));
    for (const auto& input : entry.inputs)
      if (int64_t bytes = BytesAt(*input, dims); bytes > 0)
        ASHLAR_RETURN_IF_ERROR(
            device_->CopyIn(arena_ + input->offset, host_.arena + input->offset, bytes));
    if (wait_for_each_) return device_->Mark(/*end=*/false);
    key_ = {&entry, dims, first_row};
    auto known = graphs_.find(key_);
    replayed_ = known != graphs_.end() ? &known->second : nullptr;
    part_ = 0;
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<Communicator>> Join(
      const std::shared_ptr<Communicator>& control) override {
    ASHLAR_RETURN_IF_ERROR(device_->MakeCurrent());
    NcclOptions options{device_->driver(), device_->stream()};
    ASHLAR_ASSIGN_OR_RETURN(communicator_, JoinNccl(control, options));
    return communicator_;
  }

  absl::Status BeginCollective() override {
    return wait_for_each_ ? absl::OkStatus() : EndPart("what comes before a collective");
  }

  absl::Status CopyRows(char* to, int64_t to_stride, const char* from, int64_t from_stride,
                        int64_t row_bytes, int64_t rows) override {
    if (replayed_) return absl::OkStatus();
    return Record([&] {
      return device_->CopyRows(reinterpret_cast<DevicePointer>(to), to_stride,
                               reinterpret_cast<DevicePointer>(from), from_stride, row_bytes, rows);
    });
  }

  absl::Status Store(char* to, int64_t value) override {
    if (replayed_) return absl::OkStatus();
    return Record([&] {
      return device_->Store(reinterpret_cast<DevicePointer>(to), static_cast<uint64_t>(value));
    });
  }

  absl::Status Run(PreparedLaunch& prepared, Tracer*) override {
    if (replayed_) return absl::OkStatus();
    std::string what = StrCat(prepared.kernel->name, " (", prepared.schema->path, ")");
    ASHLAR_RETURN_IF_ERROR(Record([&]() -> absl::Status {
      return kernels_->HasProduct(*prepared.schema) ? kernels_->RunProduct(prepared, what)
                                                    : kernels_->Launch(prepared, what);
    }));
    return wait_for_each_ ? device_->Synchronize(what) : absl::OkStatus();
  }

  absl::Status End(const fb::EntryT& entry, const std::vector<int64_t>& dims) override {
    std::string what = StrCat("entry '", entry.name, "'");
    if (!wait_for_each_) {
      ASHLAR_RETURN_IF_ERROR(EndPart(what));
      if (!replayed_) {
        if (graphs_.size() == most_graphs_) DropOldest();
        replayed_ = &(graphs_[key_] = std::exchange(recorded_, {}));
      }
      replayed_->last_use = ++step_;
    }
    ASHLAR_RETURN_IF_ERROR(device_->Mark(/*end=*/true));
    ASHLAR_RETURN_IF_ERROR(CopyCounters(/*in=*/false));
    for (const auto& output : entry.outputs)
      if (int64_t bytes = BytesAt(*output, dims); bytes > 0)
        ASHLAR_RETURN_IF_ERROR(
            device_->CopyOut(host_.arena + output->offset, arena_ + output->offset, bytes));
    ASHLAR_RETURN_IF_ERROR(device_->Synchronize(what));
    ASHLAR_ASSIGN_OR_RETURN(device_ms_, device_->MillisecondsBetweenMarks());
    return absl::OkStatus();
  }

  double device_ms() const override { return device_ms_; }
  std::string library() const override { return kernels_->library(); }

 private:
  static bool IsCounter(const fb::StateT& state) {
    return state.dtype == fb::DType::I64 || state.bytes == 0;
  }

  // Makes the stream one that takes calls, and the state one that can be looked at.
  absl::Status BeginState() {
    ASHLAR_RETURN_IF_ERROR(device_->MakeCurrent());
    Abandon();  // a step that was cancelled
    if (!state_is_new_) return absl::OkStatus();
    ASHLAR_RETURN_IF_ERROR(device_->Clear(state_, program_.metadata().state_bytes));
    state_is_new_ = false;
    return absl::OkStatus();
  }

  // An entry at certain extents: what is launched before, between and behind its collectives.
  struct Graph {
    std::vector<CUgraphExec_st*> parts;  // null: nothing
    int64_t last_use = 0;
  };

  // Has `work` recorded, which begins a part where none has begun.
  template <typename Work>
  absl::Status Record(Work work) {
    if (!wait_for_each_ && !is_capturing_) {
      ASHLAR_RETURN_IF_ERROR(device_->BeginCapture());
      is_capturing_ = true;
    }
    absl::Status status = work();
    if (!status.ok()) Abandon();
    return status;
  }

  // Gives the device the part that was recorded, now or in an earlier step.
  absl::Status EndPart(std::string_view what) {
    if (!replayed_) {
      CUgraphExec_st* part = nullptr;
      if (is_capturing_) {
        is_capturing_ = false;
        ASHLAR_ASSIGN_OR_RETURN(part, device_->EndCapture());
      }
      recorded_.parts.push_back(part);
    }
    if (part_ == 0) ASHLAR_RETURN_IF_ERROR(device_->Mark(/*end=*/false));
    CUgraphExec_st* part = (replayed_ ? *replayed_ : recorded_).parts[part_++];
    return part ? device_->Replay(part, what) : absl::OkStatus();
  }

  void Forget(const Graph& graph) {
    for (CUgraphExec_st* part : graph.parts)
      if (part) device_->Forget(part);
  }

  // Ends a recording that nothing came of.
  void Abandon() {
    if (is_capturing_) device_->AbandonCapture();
    is_capturing_ = false;
    Forget(std::exchange(recorded_, {}));
  }

  void DropOldest() {
    auto oldest = std::min_element(
        graphs_.begin(), graphs_.end(),
        [](const auto& a, const auto& b) { return a.second.last_use < b.second.last_use; });
    Forget(oldest->second);
    graphs_.erase(oldest);
  }

  // Counters are few bytes, and both sides look at them: the host before a step, kernels in it.
  absl::Status CopyCounters(bool in) {
    for (const auto& state : program_.metadata().states) {
      if (!IsCounter(*state) || state->bytes == 0) continue;
      char* host = host_.state + state->offset;
      DevicePointer device = state_ + state->offset;
      ASHLAR_RETURN_IF_ERROR(in ? device_->CopyIn(device, host, state->bytes)
                                : device_->CopyOut(host, device, state->bytes));
    }
    return absl::OkStatus();
  }

  const Program& program_;
  SpaceBases host_;
  std::unique_ptr<cuda::Device> device_;
  bool wait_for_each_;
  DevicePointer arena_ = 0, state_ = 0, weights_ = 0, constants_ = 0;
  bool state_is_new_ = true;
  std::unique_ptr<CudaKernels> kernels_;

  using Key = std::tuple<const fb::EntryT*, std::vector<int64_t>, int64_t>;
  std::map<Key, Graph> graphs_;
  size_t most_graphs_ = kMaxGraphs;
  int64_t step_ = 0;
  // Of the step that runs.
  Key key_;
  Graph* replayed_ = nullptr;  // or
  Graph recorded_;
  size_t part_ = 0;
  bool is_capturing_ = false;
  std::shared_ptr<Communicator> communicator_;
  double device_ms_ = -1;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Launcher>> CreateCudaLauncher(const Program& program,
                                                             const SpaceBases& host,
                                                             uint64_t arena_bytes,
                                                             bool wait_for_each, int gpu) {
  const char* sync = std::getenv("ASHLAR_CUDA_SYNC");
  wait_for_each |= sync && std::string_view(sync) == "1";
  ASHLAR_ASSIGN_OR_RETURN(auto device, cuda::Device::Open(gpu));
  auto launcher = std::make_unique<CudaLauncher>(program, host, std::move(device), wait_for_each);
  if (absl::Status status = launcher->Prepare(arena_bytes); !status.ok())
    return Annotate(status, program.path());
  return launcher;
}

}  // namespace ashlar
