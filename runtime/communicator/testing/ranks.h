// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a test's function on all ranks: threads of this process, or, where mpirun or a launcher
// (tcp.h) has started it, this process as one of them. What the ranks have between them is decided
// by what is linked: ranks.cc is for communicators in host memory, nccl_ranks.cc for NCCL on
// devices.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "runtime/communicator/communicator.h"

namespace ashlar {

// Joins the other processes where there are some. To be called by main; false after an error, which
// is printed.
bool JoinRanks(std::chrono::milliseconds deadline = kRankDeadline);
void LeaveRanks();
bool AreProcesses();

// Whether sums are taken in the order of the places.
bool SumsInOrder();

// How many ranks tests run with: several numbers of threads, or the processes that there are.
std::vector<int> RankCounts();
void OnRanks(int count, const std::function<void(Communicator&)>& body);

// Memory of the rank that this thread is, where its communicator reads and writes.
class RankMemory {
 public:
  explicit RankMemory(std::vector<char> bytes);
  void* data() const { return data_; }
  std::vector<char> Read() const;

 private:
  std::vector<char> bytes_;
  void* data_;  // freed with the rank, where it is a device's
};

}  // namespace ashlar
