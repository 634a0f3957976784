// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mpirun -n 4 communicator_faults kill|stop|diverge|leave: three ranks do all-reduces, and rank 2
// does something else at the third. Every rank prints how the run ended for it, and after how long.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/base/status.h"
#include "runtime/communicator/mpi.h"

int main(int argc, char** argv) {
  using namespace ashlar;
  const std::string fault = argc > 1 ? argv[1] : "";
  auto joined = JoinMpi(std::chrono::milliseconds(2000));
  if (!joined.ok()) {
    std::fprintf(stderr, "%s\n", Message(joined.status()).c_str());
    return 1;
  }
  ReportTermination();
  Communicator& ranks = **joined;
  std::vector<int> group;
  for (int rank = 0; rank < ranks.size(); ++rank) group.push_back(rank);
  std::vector<float> values(1000, 1.0f);
  const auto begin = std::chrono::steady_clock::now();
  absl::Status status;
  for (int step = 0; step < 5 && status.ok(); ++step) {
    Collective call;
    call.group = &group;
    call.input = call.output = values.data();
    call.count = static_cast<int64_t>(values.size());
    call.where = "layers.3.mlp (model.py:7)";
    if (ranks.rank() == 2 && step == 2) {
      if (fault == "kill") raise(SIGKILL);
      if (fault == "stop") raise(SIGSTOP);
      if (fault == "leave") _exit(7);
      if (fault == "diverge") call.reduction = Reduction::kMax, call.where = "layers.4.norm";
    }
    status = ranks.Run(call);
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("rank %d: %s (%s)\n", ranks.rank(),
              status.ok() ? "all done" : Message(status).c_str(), seconds < 5 ? "in time" : "late");
  std::fflush(stdout);
  joined->reset();
  return status.ok() ? 0 : 1;
}
