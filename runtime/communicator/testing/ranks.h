// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a test's function on all ranks: threads of this process, or, where mpirun has started it,
// this process as one of them.
#pragma once

#include <functional>
#include <vector>

#include "runtime/communicator/communicator.h"

namespace ashlar {

// Joins mpirun's processes where there are some. To be called by main; false after an error, which
// is printed.
bool JoinRanks();
void LeaveRanks();
bool AreProcesses();

// How many ranks tests run with: several numbers of threads, or the processes that there are.
std::vector<int> RankCounts();
void OnRanks(int count, const std::function<void(Communicator&)>& body);

}  // namespace ashlar
