// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What may stop or watch a step.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

namespace ashlar {

// Stops steps from another thread. Usable from any thread; outlives the steps that look at it.
class Cancellation {
 public:
  // Steps that have this stop at the next launch, those that begin later at once, until Reset.
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  void Reset() { cancelled_.store(false, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

class Tracer;  // tracer.h

struct RunOptions {
  // Looked at before each launch, which for large models is every few milliseconds.
  const Cancellation* cancellation = nullptr;
  std::optional<std::chrono::steady_clock::time_point> deadline;
  // Records the step; made for as many workers as the session has threads.
  Tracer* tracer = nullptr;
};

}  // namespace ashlar
