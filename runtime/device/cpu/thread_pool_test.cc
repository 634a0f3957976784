// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/thread_pool.h"

#include <gtest/gtest.h>
#include <immintrin.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <thread>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

namespace ashlar {
namespace {

TEST(ThreadPool, EveryItemRunsOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (int64_t items : {0, 1, 2, 3, 7, 8, 63, 64, 65, 1000, 12345}) {
      std::vector<std::atomic<int>> runs(items);
      std::atomic<bool> in_range{true};
      pool.ParallelFor(items, [&](int64_t begin, int64_t end, int worker) {
        if (begin >= end || worker < 0 || worker >= threads) in_range = false;
        for (int64_t i = begin; i < end; ++i) ++runs[i];
      });
      EXPECT_TRUE(in_range);
      for (int64_t i = 0; i < items; ++i) ASSERT_EQ(runs[i], 1) << items << " items, item " << i;
    }
  }
}

TEST(ThreadPool, HugeGridsDoNotOverflow) {
  ThreadPool pool(4);
  std::atomic<int64_t> covered{0};
  int64_t items = int64_t{1} << 48;
  pool.ParallelFor(items, [&](int64_t begin, int64_t end, int) { covered += end - begin; });
  EXPECT_EQ(covered, items);
}

TEST(ThreadPool, AWorkerIsNeverTwoAtATime) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<int> clashes{0};
  for (int round = 0; round < 200; ++round)
    pool.ParallelFor(97, [&](int64_t, int64_t, int worker) {
      if (inside[worker].fetch_add(1) != 0) ++clashes;
      for (volatile int i = 0; i < 50; ++i) {
      }
      --inside[worker];
    });
  EXPECT_EQ(clashes, 0);
}

// Launch after launch with plain, unsynchronised data: what one writes the next reads.
TEST(ThreadPool, LaunchesAreOrdered) {
  ThreadPool pool(3);
  std::vector<int64_t> a(300, 0), b(300, 0);
  for (int round = 0; round < 20000; ++round) {
    pool.ParallelFor(300, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) a[i] = b[299 - i] + 1;
    });
    std::swap(a, b);
  }
  for (int64_t value : b) ASSERT_EQ(value, 20000);
}

TEST(ThreadPool, ParkedThreadsWakeUp) {
  ThreadPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> ran{0};
    std::atomic<int> together{0};
    pool.ParallelFor(3, [&](int64_t begin, int64_t end, int) {
      ran += static_cast<int>(end - begin);
      // Each item waits for the others: the launch ends only when three threads take part.
      ++together;
      while (together < 3) std::this_thread::yield();
    });
    EXPECT_EQ(ran, 3);
  }
}

TEST(ThreadPool, ResultsDoNotDependOnTheNumberOfThreads) {
  auto compute = [](int threads) {
    ThreadPool pool(threads);
    std::vector<float> out(5000);
    pool.ParallelFor(5000, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        float sum = 0;
        for (int k = 1; k < 20; ++k)
          sum += std::sin(static_cast<float>(i * k)) / static_cast<float>(k);
        out[i] = sum;
      }
    });
    return out;
  };
  std::vector<float> expected = compute(1);
  for (int threads : {2, 3, 5}) EXPECT_EQ(compute(threads), expected);
}

TEST(ThreadPool, TheCallersRoundingModeStaysItsOwn) {
  unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);  // flush to zero, denormals are zero
  for (int threads : {1, 2}) {
    ThreadPool pool(threads);
    std::atomic<int> kept{0};
    pool.ParallelFor(16, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        volatile float tiny = 1e-38f, quarter = 0.25f;
        if (tiny * quarter > 0) ++kept;
      }
    });
    EXPECT_EQ(kept, 16);
    EXPECT_EQ(_mm_getcsr() & 0x8040, 0x8040u);
  }
  _mm_setcsr(before);
}

// Ends the process: 7 when a pool came out smaller than asked for and works.
void RunInASmallAddressSpace() {
  rlimit limit;
  limit.rlim_cur = limit.rlim_max = uint64_t{1} << 30;  // no room for a thousand stacks
  setrlimit(RLIMIT_AS, &limit);
  ThreadPool pool(ThreadPool::kMaxThreads);
  std::atomic<int64_t> covered{0};
  pool.ParallelFor(5000, [&](int64_t begin, int64_t end, int) { covered += end - begin; });
  _exit(covered == 5000 && pool.running() > 1 && pool.running() < pool.size() ? 7 : 1);
}

TEST(ThreadPool, MakesDoWithFewerThreads) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "sanitizers need the address space";
#endif
  EXPECT_EXIT(RunInASmallAddressSpace(), ::testing::ExitedWithCode(7), "");
}

TEST(ThreadPool, StartsThreadsWithTheFirstLaunchThatNeedsThem) {
  ThreadPool pool(3);
  pool.ParallelFor(1, [](int64_t, int64_t, int) {});
  EXPECT_EQ(pool.running(), 0);
  pool.ParallelFor(2, [](int64_t, int64_t, int) {});
  EXPECT_EQ(pool.running(), 3);
}

TEST(ThreadPool, LaunchesFromSeveralThreadsTakeTurns) {
  ThreadPool pool(3);
  std::vector<int64_t> sums(4);
  std::vector<std::thread> callers;
  for (size_t t = 0; t < sums.size(); ++t)
    callers.emplace_back([&, t] {
      std::vector<int64_t> parts(3);
      for (int round = 0; round < 300; ++round)
        pool.ParallelFor(50, [&](int64_t begin, int64_t end, int worker) {
          for (int64_t i = begin; i < end; ++i) parts[worker] += i;
        });
      sums[t] = parts[0] + parts[1] + parts[2];
    });
  for (std::thread& caller : callers) caller.join();
  for (int64_t sum : sums) EXPECT_EQ(sum, 300 * 49 * 25);
}

TEST(ThreadPool, PoolsComeAndGo) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool(4);
    std::atomic<int> ran{0};
    pool.ParallelFor(
        i, [&](int64_t begin, int64_t end, int) { ran += static_cast<int>(end - begin); });
    EXPECT_EQ(ran, i);
  }
}

}  // namespace
}  // namespace ashlar
