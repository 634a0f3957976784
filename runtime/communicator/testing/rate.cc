// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// communicator_rate [RANKS]: the rate of a loopback all-reduce of 64 MiB beside that of copies by
// as many threads, medians of rounds in turn. The bus factor of an all-reduce is 2 (n - 1) / n: so
// many bytes pass each rank's link for a byte of the tensor, were there links.
#include <algorithm>
#include <atomic>
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
constexpr int kRounds = 40;

// Seconds that `threads` threads take for their shares of a job.
double Seconds(int threads, const std::function<void(int)>& body) {
  const Clock::time_point begin = Clock::now();
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(body, i);
  body(0);
  for (std::thread& other : others) other.join();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int ranks = argc > 1 ? std::max(1, std::atoi(argv[1])) : 2;
  const int64_t bytes = int64_t{64} << 20, count = bytes / 4;
  std::vector<std::vector<float>> buffers(std::max(2, ranks), std::vector<float>(count, 1.0f));
  auto copy = [&](int i) {
    const int64_t begin = count * i / ranks, end = count * (i + 1) / ranks;
    std::memcpy(buffers[1].data() + begin, buffers[0].data() + begin, (end - begin) * 4);
  };
  auto ends = ashlar::MakeLoopback(ranks);
  std::vector<int> group;
  for (int rank = 0; rank < ranks; ++rank) group.push_back(rank);
  std::atomic<bool> ok{true};
  auto reduce = [&](int rank) {
    ashlar::Collective call;
    call.group = &group;
    call.input = call.output = buffers[rank].data(), call.count = count;
    if (!ends[rank]->Run(call).ok()) ok = false;
  };
  // They take turns, so that what else the machine does slows both.
  std::vector<double> copies, reductions;
  for (int round = 0; round < kRounds; ++round) {
    copies.push_back(Seconds(ranks, copy));
    reductions.push_back(Seconds(ranks, reduce));
  }
  const double copied = Median(copies), reduced = Median(reductions);
  const double factor = ranks > 1 ? 2.0 * (ranks - 1) / ranks : 1;
  std::printf(
      "64 MiB, %d ranks: copied at %.2f GB/s, all-reduced at %.2f GB/s; %.0f %% of the copy "
      "rate over the bus factor %.2f\n",
      ranks, bytes / copied * 1e-9, bytes / reduced * 1e-9, 100 * copied * factor / reduced,
      factor);
  return ok ? 0 : 1;
}
