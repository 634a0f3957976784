// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/api/crew.h"

#include <system_error>

#include "runtime/base/status.h"

namespace ashlar {

absl::StatusOr<std::unique_ptr<Crew>> Crew::Create(int size) {
  std::unique_ptr<Crew> crew(new Crew(size));
  crew->threads_.reserve(size);
  try {
    for (int index = 0; index < size; ++index)
      crew->threads_.emplace_back([crew = crew.get(), index] { crew->Work(index); });
  } catch (const std::system_error& error) {
    return ResourceExhausted("no thread for rank ", crew->size() + 1, " of ", size + 1, ": ",
                             error.what());
  }
  return crew;
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
    try {
      statuses_[index] = body(index);
    } catch (...) {
      thrown_[index] = std::current_exception();
    }
    lock.lock();
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
  absl::Status status;
  try {
    status = own();
  } catch (...) {
    thrown_.back() = std::current_exception();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  end_.wait(lock, [&] { return running_ == 0; });
  std::exception_ptr first;
  for (std::exception_ptr& thrown : thrown_) {
    if (!first) first = thrown;
    thrown = nullptr;
  }
  if (first) std::rethrow_exception(first);
  for (const absl::Status& other : statuses_)
    if (status.ok()) status = other;
  return status;
}

}  // namespace ashlar
