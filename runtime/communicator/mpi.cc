// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/mpi.h"

#include <thread>

#include "runtime/base/status.h"
#include "runtime/communicator/messages.h"
#include "runtime/communicator/mpi_library.h"

namespace ashlar {
namespace {

constexpr int kThreadSerialized = 2;  // MPI_THREAD_SERIALIZED
// For the others' own words; less than what a rank that waits for a waiting one is given more
// (messages.cc).
constexpr auto kLastWords = std::chrono::milliseconds(450);

class MpiTransport : public Transport {
 public:
  MpiTransport(std::shared_ptr<const mpi::Library> library, mpi::Handle comm, int rank, int size)
      : library_(std::move(library)), comm_(comm), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string_view name() const override { return "mpi"; }

  absl::Status Send(const void* data, int64_t bytes, int to, int tag, Request* request) override {
    return library_->ToStatus(
        library_->MPI_Isend(data, static_cast<int>(bytes), library_->byte, to, tag, comm_, request),
        "MPI_Isend");
  }
  absl::Status Receive(void* data, int64_t bytes, int from, int tag, Request* request) override {
    return library_->ToStatus(library_->MPI_Irecv(data, static_cast<int>(bytes), library_->byte,
                                                  from, tag, comm_, request),
                              "MPI_Irecv");
  }
  absl::StatusOr<bool> Test(Request* request) override {
    if (!*request) return true;
    int done = 0;
    const int error = library_->MPI_Test(request, &done, nullptr);
    if (error != 0 || done) *request = nullptr;  // MPI has a null request of its own
    ASHLAR_RETURN_IF_ERROR(library_->ToStatus(error, "MPI_Test"));
    return done != 0;
  }
  void Cancel(Request* request) override {
    library_->MPI_Cancel(request);
    library_->MPI_Request_free(request);
    *request = nullptr;
  }
  void Leave(bool failed) override {
    if (!failed) {
      library_->MPI_Finalize();
      return;
    }
    std::this_thread::sleep_for(kLastWords);
    library_->MPI_Abort(library_->world, 1);
  }

 private:
  std::shared_ptr<const mpi::Library> library_;
  mpi::Handle comm_;
  int rank_, size_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Communicator>> JoinMpi(std::chrono::milliseconds deadline) {
  if (!mpi::IsUnderMpirun())
    return FailedPrecondition("this process is none of several that mpirun has started");
  ASHLAR_ASSIGN_OR_RETURN(auto library, mpi::Library::Open());
  int initialized = 0, provided = 0, rank = 0, size = 0;
  mpi::Handle comm = nullptr;
  ASHLAR_RETURN_IF_ERROR(
      library->ToStatus(library->MPI_Initialized(&initialized), "MPI_Initialized"));
  if (initialized) return FailedPrecondition("MPI is in use already");
  ASHLAR_RETURN_IF_ERROR(library->ToStatus(
      library->MPI_Init_thread(nullptr, nullptr, kThreadSerialized, &provided), "MPI_Init_thread"));
  ASHLAR_RETURN_IF_ERROR(
      library->ToStatus(library->MPI_Comm_dup(library->world, &comm), "MPI_Comm_dup"));
  library->MPI_Comm_set_errhandler(comm, library->errors_return);
  library->MPI_Comm_rank(comm, &rank);
  library->MPI_Comm_size(comm, &size);
  return MakeMessages(std::make_unique<MpiTransport>(library, comm, rank, size), deadline);
}

}  // namespace ashlar
