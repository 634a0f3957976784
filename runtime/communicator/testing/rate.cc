// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// communicator_rate [RANKS]: the rate of a loopback all-reduce of 64 MiB beside that of copies by
// as many threads. The bus factor of an all-reduce is 2 (n - 1) / n: so many bytes pass each rank's
// link for a byte of the tensor, were there links.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "runtime/communicator/loopback.h"

namespace {

using Clock = std::chrono::steady_clock;

double BestOf(int rounds, int threads, const std::function<void(int)>& body) {
  double best = 1e9;
  for (int round = 0; round < rounds; ++round) {
    const Clock::time_point begin = Clock::now();
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(body, i);
    body(0);
    for (std::thread& other : others) other.join();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const int ranks = argc > 1 ? std::max(1, std::atoi(argv[1])) : 2;
  const int64_t bytes = int64_t{64} << 20, count = bytes / 4;
  std::vector<std::vector<float>> buffers(std::max(2, ranks), std::vector<float>(count, 1.0f));
  const double copy = BestOf(20, ranks, [&](int i) {
    const int64_t begin = count * i / ranks, end = count * (i + 1) / ranks;
    std::memcpy(buffers[1].data() + begin, buffers[0].data() + begin, (end - begin) * 4);
  });
  auto ends = ashlar::MakeLoopback(ranks);
  std::vector<int> group;
  for (int rank = 0; rank < ranks; ++rank) group.push_back(rank);
  bool ok = true;
  const double reduce = BestOf(20, ranks, [&](int rank) {
    ashlar::Collective call;
    call.group = &group;
    call.input = call.output = buffers[rank].data(), call.count = count;
    if (!ends[rank]->Run(call).ok()) ok = false;
  });
  const double factor = ranks > 1 ? 2.0 * (ranks - 1) / ranks : 1;
  std::printf(
      "64 MiB, %d ranks: copied at %.2f GB/s, all-reduced at %.2f GB/s; %.0f %% of the copy "
      "rate over the bus factor %.2f\n",
      ranks, bytes / copy * 1e-9, bytes / reduce * 1e-9, 100 * copy * factor / reduce, factor);
  return ok ? 0 : 1;
}
