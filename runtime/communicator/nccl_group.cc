// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/nccl_group.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include "runtime/base/status.h"

namespace ashlar::nccl {
namespace {

using Clock = std::chrono::steady_clock;

// How long leaving may take: the ranks of a host leave together, or one has died.
constexpr auto kLeaveDeadline = std::chrono::seconds(1);

// CheckCollective has refused the types that are none of these.
int TypeOf(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return kFloat16;
    case DType::kBF16:
      return kBfloat16;
    case DType::kF64:
      return kFloat64;
    case DType::kI64:
      return kInt64;
    case DType::kI32:
      return kInt32;
    case DType::kI8:
      return kInt8;
    case DType::kU8:
      return kUint8;
    default:
      return kFloat32;
  }
}

int OpOf(Reduction reduction) {
  return reduction == Reduction::kSum ? kSum : reduction == Reduction::kMax ? kMax : kMin;
}

bool AreEqual(const std::vector<int64_t>& counts) {
  return std::all_of(counts.begin(), counts.end(),
                     [&](int64_t count) { return count == counts[0]; });
}

const char* At(const void* data, int64_t bytes) { return static_cast<const char*>(data) + bytes; }
char* At(void* data, int64_t bytes) { return static_cast<char*>(data) + bytes; }

}  // namespace

Group::Group(std::shared_ptr<const Library> library, std::shared_ptr<const cuda::Driver> driver,
             std::vector<int> ranks, int rank, CUstream_st* stream)
    : library_(std::move(library)),
      driver_(std::move(driver)),
      ranks_(std::move(ranks)),
      place_(PlaceOf(ranks_, rank)),
      stream_(stream) {}

Group::~Group() { Leave(/*aborts=*/false); }
void Group::Abort() { Leave(/*aborts=*/true); }

// On a thread of its own, which is left behind where NCCL does not come back.
void Group::Leave(bool aborts) {
  if (!comm_) return;
  std::promise<void> promise;
  std::future<void> left = promise.get_future();
  std::thread([library = library_, comm = comm_, aborts, promise = std::move(promise)]() mutable {
    int state = kInProgress;
    const Clock::time_point begin = Clock::now();
    if (!aborts) state = library->ncclCommFinalize(comm);
    while (state == kInProgress && !aborts && Clock::now() - begin < kLeaveDeadline / 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (library->ncclCommGetAsyncError(comm, &state) != kSuccess) break;
    }
    if (state == kSuccess)
      library->ncclCommDestroy(comm);
    else
      library->ncclCommAbort(comm);
    promise.set_value();
  }).detach();
  comm_ = nullptr;
  left.wait_for(kLeaveDeadline);
}

absl::Status Group::Check(int error, std::string_view what) const {
  return library_->ToStatus(error, what, comm_);
}

absl::Status Group::Begin(const UniqueId& id) {
  Config config;
  return Check(library_->ncclCommInitRankConfig(&comm_, static_cast<int>(ranks_.size()), id, place_,
                                                &config),
               StrCat("ncclCommInitRankConfig of ", ranks_.size(), " ranks"));
}

absl::StatusOr<bool> Group::IsSettled() const {
  if (!comm_) return absl::InternalError("a communicator of NCCL's that was aborted");
  int state = kSuccess;
  ASHLAR_RETURN_IF_ERROR(
      Check(library_->ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError"));
  ASHLAR_RETURN_IF_ERROR(Check(state, StrCat("NCCL, on rank ", ranks_[place_])));
  return state == kSuccess;
}

template <typename Body>
absl::Status Group::Together(Body body) {
  ASHLAR_RETURN_IF_ERROR(Check(library_->ncclGroupStart(), "ncclGroupStart"));
  absl::Status status = body();
  const int end = library_->ncclGroupEnd();  // whatever happened
  ASHLAR_RETURN_IF_ERROR(status);
  return Check(end, "ncclGroupEnd");
}

absl::Status Group::Send(const void* in, int64_t bytes, int place) {
  if (bytes == 0) return absl::OkStatus();
  return Check(library_->ncclSend(in, bytes, kUint8, place, comm_, stream_), "ncclSend");
}

absl::Status Group::Receive(void* out, int64_t bytes, int place) {
  if (bytes == 0) return absl::OkStatus();
  return Check(library_->ncclRecv(out, bytes, kUint8, place, comm_, stream_), "ncclRecv");
}

absl::Status Group::Copy(void* to, const void* from, int64_t bytes) {
  if (bytes == 0 || to == from) return absl::OkStatus();
  return driver_->ToStatus(
      driver_->cuMemcpyDtoDAsync_v2(reinterpret_cast<cuda::DevicePointer>(to),
                                    reinterpret_cast<cuda::DevicePointer>(from), bytes, stream_),
      "cuMemcpyDtoDAsync of a rank's own block");
}

// Blocks of different sizes are reductions to one rank each.
absl::Status Group::ReduceScatter(const Collective& call) {
  const std::vector<int64_t>& counts = *call.counts;
  const int type = TypeOf(call.dtype), op = OpOf(call.reduction);
  if (AreEqual(counts))
    return Check(
        library_->ncclReduceScatter(call.input, call.output, counts[0], type, op, comm_, stream_),
        "ncclReduceScatter");
  return Together([&]() -> absl::Status {
    int64_t begin = 0;
    for (size_t p = 0; p < counts.size(); begin += counts[p++])
      if (counts[p] > 0)
        ASHLAR_RETURN_IF_ERROR(
            Check(library_->ncclReduce(At(call.input, begin * DTypeSize(call.dtype)), call.output,
                                       counts[p], type, op, static_cast<int>(p), comm_, stream_),
                  "ncclReduce"));
    return absl::OkStatus();
  });
}

// And broadcasts from one rank each.
absl::Status Group::AllGather(const Collective& call) {
  const std::vector<int64_t>& counts = *call.counts;
  const int64_t size = DTypeSize(call.dtype);
  if (AreEqual(counts))
    return Check(
        library_->ncclAllGather(call.input, call.output, counts[0] * size, kUint8, comm_, stream_),
        "ncclAllGather");
  return Together([&]() -> absl::Status {
    char* out = static_cast<char*>(call.output);
    for (size_t p = 0; p < counts.size(); out += counts[p++] * size)
      if (counts[p] > 0)
        ASHLAR_RETURN_IF_ERROR(Check(
            library_->ncclBroadcast(static_cast<int>(p) == place_ ? call.input : out, out,
                                    counts[p] * size, kUint8, static_cast<int>(p), comm_, stream_),
            "ncclBroadcast"));
    return absl::OkStatus();
  });
}

absl::Status Group::AllToAll(const Collective& call) {
  const int64_t size = DTypeSize(call.dtype);
  return Together([&]() -> absl::Status {
    int64_t from = 0, to = 0;
    for (int p = 0; p < static_cast<int>(ranks_.size()); ++p) {
      const int64_t sent = (*call.counts)[p] * size, got = (*call.recv_counts)[p] * size;
      if (p == place_) {
        ASHLAR_RETURN_IF_ERROR(Copy(At(call.output, to), At(call.input, from), sent));
      } else {
        ASHLAR_RETURN_IF_ERROR(Send(At(call.input, from), sent, p));
        ASHLAR_RETURN_IF_ERROR(Receive(At(call.output, to), got, p));
      }
      from += sent, to += got;
    }
    return absl::OkStatus();
  });
}

absl::Status Group::Permute(const Collective& call) {
  const int64_t bytes = call.count * DTypeSize(call.dtype);
  const int to = (*call.targets)[place_], from = PlaceOf(*call.targets, place_);
  if (from < 0 && bytes > 0)
    ASHLAR_RETURN_IF_ERROR(driver_->ToStatus(
        driver_->cuMemsetD8Async(reinterpret_cast<cuda::DevicePointer>(call.output), 0, bytes,
                                 stream_),
        "cuMemsetD8Async of nobody's target"));
  if (to == place_) return Copy(call.output, call.input, bytes);
  if (to < 0 && from < 0) return absl::OkStatus();
  return Together([&]() -> absl::Status {
    if (to >= 0) ASHLAR_RETURN_IF_ERROR(Send(call.input, bytes, to));
    return from >= 0 ? Receive(call.output, bytes, from) : absl::OkStatus();
  });
}

absl::Status Group::Issue(const Collective& call) {
  switch (call.kind) {
    case CollectiveKind::kAllReduce:
      return Check(library_->ncclAllReduce(call.input, call.output, call.count, TypeOf(call.dtype),
                                           OpOf(call.reduction), comm_, stream_),
                   "ncclAllReduce");
    case CollectiveKind::kReduceScatter:
      return ReduceScatter(call);
    case CollectiveKind::kAllGather:
      return AllGather(call);
    case CollectiveKind::kAllToAll:
      return AllToAll(call);
    case CollectiveKind::kPermute:
      return Permute(call);
    case CollectiveKind::kBroadcast:
      return Check(
          library_->ncclBroadcast(call.input, call.output, call.count * DTypeSize(call.dtype),
                                  kUint8, call.peer, comm_, stream_),
          "ncclBroadcast");
    case CollectiveKind::kSend:
    case CollectiveKind::kRecv:
      return IssueMessages({&call});
  }
  return absl::OkStatus();
}

absl::Status Group::IssueMessages(const std::vector<const Collective*>& messages) {
  return Together([&]() -> absl::Status {
    for (const Collective* call : messages) {
      const int64_t bytes = call->count * DTypeSize(call->dtype);
      const int peer = PlaceOf(ranks_, (*call->group)[call->peer]);
      ASHLAR_RETURN_IF_ERROR(call->kind == CollectiveKind::kSend
                                 ? Send(call->input, bytes, peer)
                                 : Receive(call->output, bytes, peer));
    }
    return absl::OkStatus();
  });
}

}  // namespace ashlar::nccl
