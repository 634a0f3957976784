// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mpirun -n 4 communicator_faults kill|stop|diverge|leave (or communicator_nccl_faults, or under a
// launcher): three
// ranks do all-reduces, and rank 2 does something else at the third. slow|stuck: a chain, in which
// each rank waits for the one before it, and rank 0 computes for longer than the deadline, or
// stands still. Every rank prints how the run ended for it, and after how long.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/status.h"
#include "runtime/communicator/mpi.h"
#include "runtime/communicator/testing/ranks.h"

namespace ashlar {
namespace {

constexpr auto kDeadline = std::chrono::milliseconds(2000);
using Clock = std::chrono::steady_clock;

absl::Status AllReduces(Communicator& ranks, const std::string& fault) {
  std::vector<int> group;
  for (int rank = 0; rank < ranks.size(); ++rank) group.push_back(rank);
  const int64_t count = 1000;
  RankMemory values(std::vector<char>(count * sizeof(float)));
  absl::Status status;
  for (int step = 0; step < 5 && status.ok(); ++step) {
    Collective call;
    call.group = &group;
    call.input = call.output = values.data();
    call.count = count;
    call.where = "layers.3.mlp (model.py:7)";
    if (ranks.rank() == 2 && step == 2) {
      if (fault == "kill") raise(SIGKILL);
      if (fault == "stop") raise(SIGSTOP);
      if (fault == "leave") _exit(7);
      if (fault == "diverge") call.reduction = Reduction::kMax, call.where = "layers.4.norm";
    }
    status = ranks.Run(call);
  }
  return status;
}

absl::Status Chain(Communicator& ranks, const std::string& fault) {
  if (ranks.rank() == 0 && fault == "stuck") raise(SIGSTOP);
  const Clock::time_point until = Clock::now() + kDeadline * 7 / 4;
  while (ranks.rank() == 0 && Clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ranks.Tick();
  }
  const int64_t count = 1000;
  RankMemory values(std::vector<char>(count * sizeof(float)));
  for (int sender : {ranks.rank() - 1, ranks.rank()}) {
    if (sender < 0 || sender + 1 == ranks.size()) continue;
    const std::vector<int> pair = {sender, sender + 1};
    Collective call;
    call.kind = sender == ranks.rank() ? CollectiveKind::kSend : CollectiveKind::kRecv;
    call.group = &pair;
    call.peer = sender == ranks.rank();
    call.input = call.output = values.data();
    call.count = count;
    call.where = "layers.3.mlp (model.py:7)";
    ASHLAR_RETURN_IF_ERROR(ranks.Run(call));
  }
  return absl::OkStatus();
}

absl::Status Try(Communicator& ranks, const std::string& fault) {
  const Clock::time_point begin = Clock::now();
  const bool chain = fault == "slow" || fault == "stuck";
  absl::Status status = chain ? Chain(ranks, fault) : AllReduces(ranks, fault);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  std::printf("rank %d: %s (%s)\n", ranks.rank(),
              status.ok() ? "all done" : Message(status).c_str(), seconds < 5 ? "in time" : "late");
  std::fflush(stdout);
  return status;
}

}  // namespace
}  // namespace ashlar

int main(int argc, char** argv) {
  using namespace ashlar;
  const std::string fault = argc > 1 ? argv[1] : "";
  if (!JoinRanks(kDeadline) || !AreProcesses()) return 1;
  ReportTermination();
  absl::Status status;
  OnRanks(RankCounts().back(), [&](Communicator& ranks) { status = Try(ranks, fault); });
  LeaveRanks();
  return status.ok() ? 0 : 1;
}
