// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/testing/ranks.h"

#include <cstdio>
#include <thread>

#include "runtime/base/status.h"
#include "runtime/communicator/loopback.h"
#include "runtime/communicator/mpi.h"
#include "runtime/communicator/mpi_library.h"
#include "runtime/communicator/tcp.h"

namespace ashlar {
namespace {

std::unique_ptr<Communicator>& Process() {
  static std::unique_ptr<Communicator> communicator;
  return communicator;
}

}  // namespace

bool JoinRanks(std::chrono::milliseconds deadline) {
  if (!mpi::IsUnderMpirun() && !IsUnderLauncher()) return true;
  auto joined = mpi::IsUnderMpirun() ? JoinMpi(deadline) : JoinTcp(deadline);
  if (!joined.ok()) {
    std::fprintf(stderr, "%s\n", Message(joined.status()).c_str());
    return false;
  }
  Process() = *std::move(joined);
  return true;
}

void LeaveRanks() { Process().reset(); }
bool AreProcesses() { return Process() != nullptr; }
bool SumsInOrder() { return true; }

std::vector<int> RankCounts() {
  if (AreProcesses()) return {Process()->size()};
  return {1, 2, 3, 4, 8};
}

void OnRanks(int count, const std::function<void(Communicator&)>& body) {
  if (AreProcesses()) return body(*Process());
  std::vector<std::thread> threads;
  for (auto& end : MakeLoopback(count))
    threads.emplace_back([&body, end = std::move(end)] { body(*end); });
  for (std::thread& thread : threads) thread.join();
}

RankMemory::RankMemory(std::vector<char> bytes) : bytes_(std::move(bytes)), data_(bytes_.data()) {}
std::vector<char> RankMemory::Read() const { return bytes_; }

}  // namespace ashlar
