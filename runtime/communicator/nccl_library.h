// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of NCCL that ranks need, found with dlopen: nothing of it is needed to build, or to run
// elsewhere. Types are those of nccl.h, whose communicators are pointers to structs that nobody
// knows; enumerations are ints. nccl_library_test.cc holds them against the header where it is.
#pragma once

#include <climits>
#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct CUstream_st;
struct ncclComm;

namespace ashlar::nccl {

// What a communicator's ranks find each other by; passed by value.
struct UniqueId {
  char bytes[128];
};

// ncclConfig_t as NCCL 2.14 had it, whose size is a multiple of 8: later versions take what is
// behind as not set.
struct Config {
  size_t size = sizeof(Config);
  unsigned magic = 0xcafebeef;
  unsigned version = 21400;
  int blocking = 0;  // calls return before they are done (kInProgress)
  int not_set = INT_MIN;
};

inline constexpr int kSuccess = 0, kUnhandledCudaError = 1, kSystemError = 2, kInvalidArgument = 4,
                     kInvalidUsage = 5, kRemoteError = 6, kInProgress = 7;
inline constexpr int kSum = 0, kMax = 2, kMin = 3;
inline constexpr int kInt8 = 0, kUint8 = 1, kInt32 = 2, kInt64 = 4, kFloat16 = 6, kFloat32 = 7,
                     kFloat64 = 8, kBfloat16 = 9;

// Every function that is used: its name in the library (of NCCL 2.14 and later), its parameters.
#define ASHLAR_NCCL_FUNCTIONS(F)                                                                   \
  F(ncclGetVersion, int* version)                                                                  \
  F(ncclGetUniqueId, ashlar::nccl::UniqueId* id)                                                   \
  F(ncclCommInitRankConfig, ncclComm** comm, int ranks, ashlar::nccl::UniqueId id, int rank,       \
    ashlar::nccl::Config* config)                                                                  \
  F(ncclCommFinalize, ncclComm* comm)                                                              \
  F(ncclCommDestroy, ncclComm* comm)                                                               \
  F(ncclCommAbort, ncclComm* comm)                                                                 \
  F(ncclCommGetAsyncError, ncclComm* comm, int* error)                                             \
  F(ncclGroupStart, )                                                                              \
  F(ncclGroupEnd, )                                                                                \
  F(ncclAllReduce, const void* in, void* out, size_t count, int type, int op, ncclComm* comm,      \
    CUstream_st* stream)                                                                           \
  F(ncclReduce, const void* in, void* out, size_t count, int type, int op, int root,               \
    ncclComm* comm, CUstream_st* stream)                                                           \
  F(ncclReduceScatter, const void* in, void* out, size_t count, int type, int op, ncclComm* comm,  \
    CUstream_st* stream)                                                                           \
  F(ncclAllGather, const void* in, void* out, size_t count, int type, ncclComm* comm,              \
    CUstream_st* stream)                                                                           \
  F(ncclBroadcast, const void* in, void* out, size_t count, int type, int root, ncclComm* comm,    \
    CUstream_st* stream)                                                                           \
  F(ncclSend, const void* in, size_t count, int type, int to, ncclComm* comm, CUstream_st* stream) \
  F(ncclRecv, void* out, size_t count, int type, int from, ncclComm* comm, CUstream_st* stream)

struct Library {
  // Finds libnccl.so.2 (ASHLAR_NCCL names another). NotFound says what to install,
  // FailedPrecondition which version is needed.
  static absl::StatusOr<std::shared_ptr<const Library>> Open();

  // OK for success and for what is in progress; the error's text, and the last one's of `comm`.
  absl::Status ToStatus(int error, std::string_view what, ncclComm* comm = nullptr) const;

#define ASHLAR_NCCL_MEMBER(name, ...) int (*name)(__VA_ARGS__) = nullptr;
  ASHLAR_NCCL_FUNCTIONS(ASHLAR_NCCL_MEMBER)
#undef ASHLAR_NCCL_MEMBER
  const char* (*ncclGetErrorString)(int error) = nullptr;
  const char* (*ncclGetLastError)(ncclComm* comm) = nullptr;
  int version = 0;  // 22809 for 2.28.9
};

}  // namespace ashlar::nccl
