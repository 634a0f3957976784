// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pool that runs grids of independent work items on a fixed number of threads.
//
// A launch is published by one store; threads that have just worked are still spinning and pick it
// up in well under two microseconds, threads that have found nothing to do for a while are parked
// and are woken. The calling thread works too. Each thread begins with its own contiguous part of
// the items, in a few chunks; who is done early takes chunks of the others, so that a thread that
// the system has taken off its core delays nothing that it has not begun. Which thread computes
// which item thus varies; results do not, because items are independent and their number is chosen
// from the problem alone, never from the number of threads.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

namespace ashlar {

// Launches come from one thread at a time; a launch inside a launch is not allowed. No launch
// allocates memory.
class ThreadPool {
 public:
  // `threads` counts the caller, so that 1 makes no thread at all; 0 means AvailableCores(). At
  // most kMaxThreads, and fewer where the system gives no more: size() tells.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  static constexpr int kMaxThreads = 1024;
  int size() const { return size_; }

  // Calls f(begin, end, worker) on disjoint ranges that together make up [0, items); returns when
  // all have returned. `worker` in [0, size()) is the thread's: no two calls with the same worker
  // run at the same time. What the calls wrote is visible to the caller.
  template <typename F>
  void ParallelFor(int64_t items, F&& f) {
    using Function = std::remove_reference_t<F>;
    Launch(
        items,
        [](void* context, int64_t begin, int64_t end, int worker) {
          (*static_cast<Function*>(context))(begin, end, worker);
        },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  using RangeFunction = void (*)(void* context, int64_t begin, int64_t end, int worker);

  // The next chunk of one worker's part: launch number << 16 | index in the part. The number makes
  // a claim fail that comes from a thread still looking at an earlier launch.
  struct alignas(64) Cursor {
    std::atomic<uint64_t> next{0};
  };

  // What a thread is told when it starts.
  struct Start {
    ThreadPool* pool;
    int worker;
  };

  void Launch(int64_t items, RangeFunction function, void* context);
  static void* ThreadMain(void* start);
  void WorkerMain(int worker);
  void WorkOn(uint64_t number, int worker);
  bool AwaitLaunch(uint64_t last, uint64_t* number);

  int size_;
  std::vector<pthread_t> threads_;
  std::unique_ptr<Start[]> starts_;
  std::unique_ptr<Cursor[]> cursors_;

  // The launch; written by the caller while none is under way.
  std::atomic<RangeFunction> function_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<int64_t> items_{0};
  std::atomic<int64_t> chunks_{0};
  alignas(64) std::atomic<uint64_t> number_{0};  // of the launch, from 1
  alignas(64) std::atomic<int64_t> done_{0};     // chunks that are finished

  alignas(64) std::atomic<int> parked_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace ashlar
