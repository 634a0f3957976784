// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stand-in for libnccl.so.2 on fake_cuda's devices, whose memory is the host's. It moves and
// combines data between threads and processes of one host, through shared memory that is named in
// the unique id, and is as strict as NCCL may be: its communicators must not block, take no call
// while another one settles, and hold every pair of ranks to the same call; sums are taken from the
// last place to the first and rounded at each addition; ranks leave together.
//
// FAKE_NCCL_FAIL="ncclAllReduce=3" makes a call fail, "ncclCommGetAsyncError=6" gives that state,
// FAKE_NCCL_HANG=1 lets no call end until it is aborted.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/communicator/testing/fake_nccl_calls.h"

using namespace ashlar::nccl;
using namespace fake_nccl;

namespace {

thread_local int g_depth = 0;
thread_local std::vector<std::pair<CUstream_st*, std::unique_ptr<Call>>> g_group;
thread_local std::string g_last_error;

struct FakeCuda {
  void* (*memory)(unsigned long long, size_t);
  int (*enqueue)(CUstream_st*, bool (*)(void*), void (*)(void*), void*);
};

const FakeCuda& Cuda() {
  static const FakeCuda cuda = [] {
    const char* path = std::getenv("ASHLAR_CUDA_DRIVER");
    void* library = path ? dlopen(path, RTLD_NOW | RTLD_NOLOAD) : nullptr;
    FakeCuda found{};
    if (library) {
      found.memory = reinterpret_cast<decltype(found.memory)>(dlsym(library, "fakeHostMemory"));
      found.enqueue = reinterpret_cast<decltype(found.enqueue)>(dlsym(library, "fakeEnqueue"));
    }
    if (!found.memory || !found.enqueue) {
      std::fprintf(stderr, "fake NCCL: ASHLAR_CUDA_DRIVER is not the fake driver\n");
      std::abort();
    }
    return found;
  }();
  return cuda;
}

int Refuse(int error, const std::string& why) {
  g_last_error = why;
  return error;
}

int Injected(const char* call) {
  const char* fail = std::getenv("FAKE_NCCL_FAIL");
  const size_t length = std::strlen(call);
  if (!fail || std::strncmp(fail, call, length) != 0 || fail[length] != '=') return 0;
  return std::atoi(fail + length + 1);
}

}  // namespace

struct ncclComm {
  std::shared_ptr<State> state;
};

namespace {

int Flush() {
  std::vector<std::pair<CUstream_st*, std::unique_ptr<Call>>> calls;
  calls.swap(g_group);
  if (calls.empty()) return kSuccess;
  auto* group = new Group;
  CUstream_st* stream = calls[0].first;
  for (auto& [its_stream, call] : calls) {
    if (its_stream != stream) return Refuse(kInvalidUsage, "a group over two streams");
    call->state->settles = true;
    group->calls.push_back(std::move(call));
  }
  const int error =
      Cuda().enqueue(stream, Poll, [](void* group) { delete static_cast<Group*>(group); }, group);
  return error ? kUnhandledCudaError : kInProgress;
}

// One call; `in_blocks` and `out_blocks` are how many times `count` its memory has.
int Do(const char* name, ncclComm* comm, CUstream_st* stream, Header header, const void* in,
       size_t in_blocks, void* out, size_t out_blocks, int to = -1, int from = -1) {
  if (int error = Injected(name)) return Refuse(error, "as it was told");
  State& state = *comm->state;
  if (state.settles) return Refuse(kInvalidUsage, "a call has not settled");
  if (state.is_finalized) return Refuse(kInvalidUsage, "a call behind ncclCommFinalize");
  if (header.root < 0 || header.root >= state.ranks || to >= state.ranks || from >= state.ranks)
    return Refuse(kInvalidArgument, "no such rank");
  auto call = std::make_unique<Call>();
  call->state = comm->state, call->header = header, call->to = to, call->from = from;
  auto memory = [&](const void* data, size_t blocks) {
    return static_cast<char*>(
        Cuda().memory(reinterpret_cast<unsigned long long>(data), blocks * call->Bytes()));
  };
  if (in_blocks) call->in = memory(in, in_blocks);
  if (out_blocks) call->out = memory(out, out_blocks);
  if ((in_blocks && !call->in) || (out_blocks && !call->out))
    return Refuse(kInvalidArgument, "no memory of the device");
  g_group.emplace_back(stream, std::move(call));
  return g_depth > 0 ? kSuccess : Flush();
}

}  // namespace

extern "C" {

int ncclGetVersion(int* version) {
  *version = 22809;
  return kSuccess;
}
const char* ncclGetErrorString(int error) {
  return error == kRemoteError ? "remote process exited or there was a network error"
                               : "fake error";
}
const char* ncclGetLastError(ncclComm*) { return g_last_error.c_str(); }

int ncclGetUniqueId(UniqueId* id) {
  static std::atomic<int> next{0};
  if (int error = Injected("ncclGetUniqueId")) return error;
  std::memset(id, 0, sizeof(*id));
  std::snprintf(id->bytes, sizeof(id->bytes), "/ashlar-fake-nccl-%d-%d", getpid(), next++);
  return kSuccess;
}

int ncclCommInitRankConfig(ncclComm** comm, int ranks, UniqueId id, int rank, Config* config) {
  if (int error = Injected("ncclCommInitRankConfig")) return error;
  if (config->magic != 0xcafebeef || config->size < 24 || config->version < 21400)
    return Refuse(kInvalidArgument, "no ncclConfig_t");
  if (config->blocking != 0) return Refuse(kInvalidUsage, "the fake does not block");
  auto state = std::make_shared<State>();
  state->name = id.bytes, state->ranks = ranks, state->rank = rank;
  state->bytes = sizeof(Region) + sizeof(Mailbox) * ranks * ranks;
  const int file = shm_open(id.bytes, O_CREAT | O_RDWR, 0600);
  if (file < 0 || ftruncate(file, static_cast<off_t>(state->bytes)) != 0) return kSystemError;
  void* memory = mmap(nullptr, state->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return kSystemError;
  state->region = static_cast<Region*>(memory);  // zeros are what all of it begins with
  if (state->region->joined.fetch_add(1) + 1 == ranks) shm_unlink(id.bytes);
  *comm = new ncclComm{std::move(state)};
  return kInProgress;
}

int ncclCommGetAsyncError(ncclComm* comm, int* error) {
  State& state = *comm->state;
  *error = Injected("ncclCommGetAsyncError");
  if (*error == kSuccess) *error = state.error;
  if (*error != kSuccess) return kSuccess;
  if (state.region->joined < state.ranks || std::exchange(state.settles, false))
    *error = kInProgress;
  return kSuccess;
}

int ncclCommFinalize(ncclComm* comm) {
  comm->state->is_finalized = comm->state->settles = true;
  return kInProgress;
}
int ncclCommDestroy(ncclComm* comm) {
  if (!comm->state->is_finalized) return kInvalidUsage;
  Region& region = *comm->state->region;
  ++region.left;
  while (region.left < comm->state->ranks)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  delete comm;
  return kSuccess;
}
int ncclCommAbort(ncclComm* comm) {
  comm->state->aborted = true;
  if (comm->state->region->joined < comm->state->ranks) shm_unlink(comm->state->name.c_str());
  ++comm->state->region->left;
  delete comm;
  return kSuccess;
}

int ncclGroupStart() {
  ++g_depth;
  return kSuccess;
}
int ncclGroupEnd() {
  if (g_depth == 0) return kInvalidUsage;
  return --g_depth == 0 ? Flush() : kSuccess;
}

int ncclAllReduce(const void* in, void* out, size_t count, int type, int op, ncclComm* comm,
                  CUstream_st* stream) {
  return Do("ncclAllReduce", comm, stream, {kAllReduceKind, type, op, 0, count}, in, 1, out, 1);
}
int ncclReduce(const void* in, void* out, size_t count, int type, int op, int root, ncclComm* comm,
               CUstream_st* stream) {
  return Do("ncclReduce", comm, stream, {kReduceKind, type, op, root, count}, in, 1, out,
            comm->state->rank == root);
}
int ncclReduceScatter(const void* in, void* out, size_t count, int type, int op, ncclComm* comm,
                      CUstream_st* stream) {
  return Do("ncclReduceScatter", comm, stream, {kReduceScatterKind, type, op, 0, count}, in,
            comm->state->ranks, out, 1);
}
int ncclAllGather(const void* in, void* out, size_t count, int type, ncclComm* comm,
                  CUstream_st* stream) {
  return Do("ncclAllGather", comm, stream, {kAllGatherKind, type, 0, 0, count}, in, 1, out,
            comm->state->ranks);
}
int ncclBroadcast(const void* in, void* out, size_t count, int type, int root, ncclComm* comm,
                  CUstream_st* stream) {
  return Do("ncclBroadcast", comm, stream, {kBroadcastKind, type, 0, root, count}, in,
            comm->state->rank == root, out, 1);
}
int ncclSend(const void* in, size_t count, int type, int to, ncclComm* comm, CUstream_st* stream) {
  return Do("ncclSend", comm, stream, {kMessage, type, 0, 0, count}, in, 1, nullptr, 0, to);
}
int ncclRecv(void* out, size_t count, int type, int from, ncclComm* comm, CUstream_st* stream) {
  return Do("ncclRecv", comm, stream, {kMessage, type, 0, 0, count}, nullptr, 0, out, 1, -1, from);
}

}  // extern "C"
