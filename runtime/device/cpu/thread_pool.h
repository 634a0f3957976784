// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pool that runs grids of independent work items on a fixed number of threads. The threads are
// started by the first launch that has work for them, so that making a pool costs nothing.
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
#include <vector>

#include "runtime/device/cpu/executor.h"

namespace ashlar {

// Launches may come from several threads, and take turns. No launch allocates memory.
class ThreadPool : public Executor {
 public:
  // `threads` counts the caller, so that 1 makes no thread at all; 0 means AvailableCores(). At
  // most kMaxThreads.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  static constexpr int kMaxThreads = 1024;
  int size() const override { return size_; }

  // Threads that work, the caller among them: size(), but fewer where the system gave no more.
  // Known after the first launch of more than one item.
  int running() const { return running_; }

 private:
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

  void Launch(int64_t items, RangeFunction function, void* context) override;
  void StartThreads();
  static void* ThreadMain(void* start);
  void WorkerMain(int worker);
  void WorkOn(uint64_t number, int worker);
  bool AwaitLaunch(uint64_t last, uint64_t* number);

  const int size_;
  std::mutex launching_;  // held for a launch; guards what follows
  int running_ = 0;       // 0: not started
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
