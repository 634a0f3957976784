// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cpu/thread_pool.h"

#include <immintrin.h>
#include <sched.h>

#include <algorithm>
#include <chrono>

#include "runtime/device/cpu/cpu_cores.h"

namespace ashlar {
namespace {

// Chunks per thread and launch: enough to even out unequal cores, few enough to cost nothing.
constexpr int64_t kChunksPerThread = 8;
// How long a thread without work spins before it parks.
constexpr auto kSpin = std::chrono::microseconds(100);
constexpr int kIndexBits = 16;
constexpr size_t kStackBytes = size_t{4} << 20;

// Calls condition() until it is true or `limit` has passed; returns whether it became true.
template <typename Condition>
bool SpinUntil(Condition&& condition, std::chrono::nanoseconds limit) {
  auto begin = std::chrono::steady_clock::now();
  for (;;) {
    for (int i = 0; i < 32; ++i) {
      if (condition()) return true;
      _mm_pause();
    }
    if (std::chrono::steady_clock::now() - begin > limit) return false;
  }
}

}  // namespace

ThreadPool::ThreadPool(int threads)
    : size_(std::clamp(threads > 0 ? threads : AvailableCores(), 1, kMaxThreads)) {}

// Not std::thread, which ends the process when the system refuses a thread.
void ThreadPool::StartThreads() {
  starts_.reset(new Start[size_]);
  cursors_.reset(new Cursor[size_]);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  running_ = 1;
  for (; running_ < size_; ++running_) {
    starts_[running_] = {this, running_};
    pthread_t thread;
    if (pthread_create(&thread, &attributes, ThreadMain, &starts_[running_]) != 0) break;
    threads_.push_back(thread);
  }
  pthread_attr_destroy(&attributes);
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (pthread_t thread : threads_) pthread_join(thread, nullptr);
}

void* ThreadPool::ThreadMain(void* start) {
  auto [pool, worker] = *static_cast<Start*>(start);
  pool->WorkerMain(worker);
  return nullptr;
}

void ThreadPool::Launch(int64_t items, RangeFunction function, void* context) {
  if (size_ == 1 || items == 1) return function(context, 0, items, 0);
  std::lock_guard<std::mutex> launching(launching_);
  if (running_ == 0) StartThreads();
  if (running_ == 1) return function(context, 0, items, 0);

  uint64_t number = number_.load(std::memory_order_relaxed) + 1;
  int64_t chunks = std::min(items, running_ * kChunksPerThread);
  function_.store(function, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  items_.store(items, std::memory_order_relaxed);
  chunks_.store(chunks, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  for (int i = 0; i < running_; ++i)
    cursors_[i].next.store(number << kIndexBits, std::memory_order_release);
  // Sequentially consistent with the count of parked threads: either this sees who parks, or who
  // parks sees this.
  number_.store(number, std::memory_order_seq_cst);
  if (parked_.load(std::memory_order_seq_cst) > 0) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
    }
    wake_.notify_all();
  }

  WorkOn(number, 0);
  auto finished = [&] { return done_.load(std::memory_order_acquire) == chunks; };
  while (!SpinUntil(finished, kSpin)) sched_yield();
}

// Takes chunks of the launch until there are none, first of the worker's own part. A claim that
// succeeds proves that the launch was unfinished at that moment, and so that the fields read before
// it belong to this launch.
void ThreadPool::WorkOn(uint64_t number, int worker) {
  RangeFunction function = function_.load(std::memory_order_relaxed);
  void* context = context_.load(std::memory_order_relaxed);
  int64_t items = items_.load(std::memory_order_relaxed);
  int64_t chunks = chunks_.load(std::memory_order_relaxed);
  int64_t finished = 0;
  const int workers = running_;  // final before the first launch is published
  for (int i = 0; i < workers; ++i) {
    int part = worker + i < workers ? worker + i : worker + i - workers;
    int64_t first = chunks * part / workers, count = chunks * (part + 1) / workers - first;
    std::atomic<uint64_t>& next = cursors_[part].next;
    uint64_t current = next.load(std::memory_order_acquire);
    while (current >> kIndexBits == number) {
      int64_t index = static_cast<int64_t>(current & ((1 << kIndexBits) - 1));
      if (index >= count) break;
      if (!next.compare_exchange_weak(current, current + 1, std::memory_order_acq_rel)) continue;
      int64_t chunk = first + index;
      function(context, items * chunk / chunks, items * (chunk + 1) / chunks, worker);
      ++finished;
      current = next.load(std::memory_order_acquire);
    }
  }
  if (finished > 0) done_.fetch_add(finished, std::memory_order_acq_rel);
}

// Waits for a launch after `last`; false when the pool ends.
bool ThreadPool::AwaitLaunch(uint64_t last, uint64_t* number) {
  auto changed = [&] {
    *number = number_.load(std::memory_order_seq_cst);
    return *number != last || stop_.load(std::memory_order_relaxed);
  };
  if (!SpinUntil(changed, kSpin)) {
    std::unique_lock<std::mutex> lock(mutex_);
    parked_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, changed);
    parked_.fetch_sub(1, std::memory_order_seq_cst);
  }
  return !stop_.load(std::memory_order_relaxed);
}

void ThreadPool::WorkerMain(int worker) {
  uint64_t number = 0;
  while (AwaitLaunch(number, &number)) WorkOn(number, worker);
}

}  // namespace ashlar
