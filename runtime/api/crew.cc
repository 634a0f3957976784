// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/crew.h"

namespace ashlar {

Crew::Crew(int size) : statuses_(size) {
  for (int index = 0; index < size; ++index) threads_.emplace_back([this, index] { Work(index); });
}

Crew::~Crew() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  begin_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Crew::Work(int index) {
  int64_t done = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    begin_.wait(lock, [&] { return stop_ || round_ > done; });
    if (stop_) return;
    done = round_;
    const auto& body = *body_;
    lock.unlock();
    absl::Status status = body(index);
    lock.lock();
    statuses_[index] = std::move(status);
    if (--running_ == 0) end_.notify_one();
  }
}

absl::Status Crew::Run(const std::function<absl::Status()>& own,
                       const std::function<absl::Status(int)>& body) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    body_ = &body;
    running_ = size();
    ++round_;
  }
  begin_.notify_all();
  absl::Status status = own();
  std::unique_lock<std::mutex> lock(mutex_);
  end_.wait(lock, [&] { return running_ == 0; });
  for (const absl::Status& other : statuses_)
    if (status.ok()) status = other;
  return status;
}

}  // namespace ashlar
