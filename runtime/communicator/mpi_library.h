// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of MPI that ranks need, found with dlopen: nothing of MPI is needed to build, or to run
// in one process. Handles are Open MPI's (4 and 5 have one ABI): addresses of objects in the
// library.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar::mpi {

using Request = void*;
using Handle = void*;

#define ASHLAR_MPI_FUNCTIONS(F)                                                        \
  F(MPI_Init_thread, int* argc, char*** argv, int required, int* provided)             \
  F(MPI_Initialized, int* flag)                                                        \
  F(MPI_Finalize, )                                                                    \
  F(MPI_Abort, Handle comm, int code)                                                  \
  F(MPI_Comm_rank, Handle comm, int* rank)                                             \
  F(MPI_Comm_size, Handle comm, int* size)                                             \
  F(MPI_Comm_dup, Handle comm, Handle* copy)                                           \
  F(MPI_Comm_set_errhandler, Handle comm, Handle handler)                              \
  F(MPI_Isend, const void* data, int count, Handle type, int to, int tag, Handle comm, \
    Request* request)                                                                  \
  F(MPI_Irecv, void* data, int count, Handle type, int from, int tag, Handle comm,     \
    Request* request)                                                                  \
  F(MPI_Test, Request* request, int* flag, void* status)                               \
  F(MPI_Cancel, Request* request)                                                      \
  F(MPI_Request_free, Request* request)                                                \
  F(MPI_Error_string, int code, char* text, int* length)

// Whether this process was started by Open MPI's mpirun, as one of several.
bool IsUnderMpirun();

struct Library {
  // Finds libmpi.so.40 (ASHLAR_MPI names another). NotFound says what to install.
  static absl::StatusOr<std::shared_ptr<const Library>> Open();

  absl::Status ToStatus(int error, const char* call) const;

#define ASHLAR_MPI_MEMBER(name, ...) int (*name)(__VA_ARGS__) = nullptr;
  ASHLAR_MPI_FUNCTIONS(ASHLAR_MPI_MEMBER)
#undef ASHLAR_MPI_MEMBER
  Handle world = nullptr, byte = nullptr, errors_return = nullptr;
};

}  // namespace ashlar::mpi
