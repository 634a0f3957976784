// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the handles of the made-up driver (fake_cuda.cc) point to.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

struct CUmod_st {};
struct CUfunc_st {
  std::string name;
};
using Work = std::vector<std::function<void()>>;
struct CUstream_st {
  std::optional<Work> capture;
  std::deque<std::function<bool()>> queue;  // each until it returns true
  int64_t enqueued = 0, done = 0;
  void Progress() {
    for (; !queue.empty() && queue.front()(); ++done) queue.pop_front();
  }
  void Enqueue(std::function<bool()> work) {
    queue.push_back(std::move(work));
    ++enqueued;
    Progress();
  }
};
struct CUevent_st {  // once the stream has done so much
  CUstream_st* stream = nullptr;
  int64_t place = 0;
  double ms = 0;  // what the device's clock said
  bool IsOver() {
    if (stream) stream->Progress();
    return !stream || stream->done >= place;
  }
};
struct CUgraph_st {
  Work work;
};
struct CUgraphExec_st {
  Work work;
};
