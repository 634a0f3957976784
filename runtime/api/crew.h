// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The threads of the other ranks, where one process runs them all.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar {

// `size` threads that each do the same thing once, beside the caller. Used by one thread at a time.
class Crew {
 public:
  // ResourceExhausted where the system gives no more threads.
  static absl::StatusOr<std::unique_ptr<Crew>> Create(int size);
  ~Crew();

  int size() const { return static_cast<int>(threads_.size()); }

  // Calls body(0) ... body(size - 1) on the threads and `own` on this one; returns when all are
  // done. The status is `own`'s, or, where that is OK, the first of the others' that is not. What
  // one of them throws (std::bad_alloc) is thrown here.
  absl::Status Run(const std::function<absl::Status()>& own,
                   const std::function<absl::Status(int)>& body);

 private:
  explicit Crew(int size) : statuses_(size), thrown_(size + 1) {}
  void Work(int index);

  std::mutex mutex_;
  std::condition_variable begin_, end_;
  const std::function<absl::Status(int)>* body_ = nullptr;
  int64_t round_ = 0;
  int running_ = 0;
  bool stop_ = false;
  std::vector<absl::Status> statuses_;
  std::vector<std::exception_ptr> thrown_;  // the caller's last
  std::vector<std::thread> threads_;
};

}  // namespace ashlar
