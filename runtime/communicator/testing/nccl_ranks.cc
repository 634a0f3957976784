// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/testing/nccl_ranks.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "gtest/gtest.h"
#include "runtime/base/status.h"
#include "runtime/communicator/loopback.h"
#include "runtime/communicator/mpi.h"
#include "runtime/communicator/mpi_library.h"
#include "runtime/communicator/tcp.h"
#include "runtime/communicator/testing/ranks.h"

namespace ashlar {
namespace {

thread_local NcclRank* g_rank = nullptr;

std::unique_ptr<NcclRank>& Process() {
  static std::unique_ptr<NcclRank> rank;
  return rank;
}

}  // namespace

void UseFakes(bool replaces) {
  setenv("ASHLAR_CUDA_DRIVER", ASHLAR_FAKE_CUDA, replaces);
  setenv("ASHLAR_NCCL", ASHLAR_FAKE_NCCL, replaces);
}

NcclRank::NcclRank(std::shared_ptr<Communicator> control) : status_(Open(std::move(control))) {
  g_rank = this;
}

absl::Status NcclRank::Open(std::shared_ptr<Communicator> control) {
  ASHLAR_ASSIGN_OR_RETURN(driver_, cuda::Driver::Open());
  CUctx_st* context = nullptr;
  driver_->cuDevicePrimaryCtxRetain(&context, 0);
  driver_->cuCtxSetCurrent(context);
  driver_->cuStreamCreate(&stream_, cuda::kStreamNonBlocking);
  NcclOptions options{driver_, stream_};
  ASHLAR_ASSIGN_OR_RETURN(communicator_, JoinNccl(std::move(control), options));
  return absl::OkStatus();
}

NcclRank::~NcclRank() {
  communicator_.reset();
  for (cuda::DevicePointer memory : memory_) driver_->cuMemFree_v2(memory);
  if (stream_) EXPECT_EQ(driver_->cuStreamDestroy_v2(stream_), 0);
  if (driver_) driver_->cuDevicePrimaryCtxRelease_v2(0);
  g_rank = nullptr;
}

void* NcclRank::Allocate(const std::vector<char>& bytes) {
  cuda::DevicePointer memory = 0;
  EXPECT_EQ(driver_->cuMemAlloc_v2(&memory, bytes.size()), 0);
  memory_.push_back(memory);
  EXPECT_EQ(driver_->cuMemcpyHtoDAsync_v2(memory, bytes.data(), bytes.size(), stream_), 0);
  return reinterpret_cast<void*>(memory);
}

void NcclRank::Read(const void* from, std::vector<char>* bytes) const {
  EXPECT_EQ(driver_->cuMemcpyDtoHAsync_v2(
                bytes->data(), reinterpret_cast<cuda::DevicePointer>(from), bytes->size(), stream_),
            0);
  EXPECT_EQ(driver_->cuStreamSynchronize(stream_), 0);
}

bool JoinRanks(std::chrono::milliseconds deadline) {
  UseFakes();
  if (!mpi::IsUnderMpirun() && !IsUnderLauncher()) return true;
  auto control = mpi::IsUnderMpirun() ? JoinMpi(deadline) : JoinTcp(deadline);
  absl::Status status = control.status();
  if (status.ok()) Process() = std::make_unique<NcclRank>(*std::move(control));
  if (status.ok()) status = Process()->status();
  if (!status.ok()) std::fprintf(stderr, "%s\n", Message(status).c_str());
  return status.ok();
}

void LeaveRanks() { Process().reset(); }
bool AreProcesses() { return Process() != nullptr; }
bool SumsInOrder() { return false; }

std::vector<int> RankCounts() {
  if (AreProcesses()) return {Process()->communicator().size()};
  return {1, 2, 3, 4, 8};
}

void OnRanks(int count, const std::function<void(Communicator&)>& body) {
  if (AreProcesses()) return body(Process()->communicator());
  std::vector<std::thread> threads;
  for (auto& end : MakeLoopback(count))
    threads.emplace_back([&body, end = std::move(end)]() mutable {
      NcclRank rank(std::move(end));
      ASSERT_EQ(rank.status(), absl::OkStatus());
      body(rank.communicator());
    });
  for (std::thread& thread : threads) thread.join();
}

RankMemory::RankMemory(std::vector<char> bytes)
    : bytes_(std::move(bytes)), data_(g_rank->Allocate(bytes_)) {}

std::vector<char> RankMemory::Read() const {
  std::vector<char> bytes(bytes_.size());
  g_rank->Read(data_, &bytes);
  return bytes;
}

}  // namespace ashlar
