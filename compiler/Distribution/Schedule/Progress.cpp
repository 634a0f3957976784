// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Schedule/Progress.h"

#include <algorithm>

namespace ashlar::schedule {

size_t Progress::getIndex(const Task &task) const {
  return (static_cast<size_t>(task.work) * shape.stages() + task.stage) * shape.microbatches +
         task.microbatch;
}

std::vector<Task> Progress::getBefore(const Task &task) const {
  std::vector<Task> before;
  switch (task.work) {
  case Work::Forward:
    if (task.stage > 0)
      before.push_back({Work::Forward, task.microbatch, task.stage - 1});
    break;
  case Work::Backward:
    before.push_back({Work::Forward, task.microbatch, task.stage});
    if (task.stage + 1 < shape.stages())
      before.push_back({Work::Backward, task.microbatch, task.stage + 1});
    break;
  case Work::Weight:
    before.push_back({Work::Backward, task.microbatch, task.stage});
    break;
  }
  return before;
}

double Progress::getStart(const Task &task) const {
  double start = 0;
  for (const Task &other : getBefore(task)) {
    bool travels = shape.deviceOf(other.stage) != shape.deviceOf(task.stage);
    start = std::max(start, ends[getIndex(other)] + (travels ? costs.transfer : 0));
  }
  return start;
}

Task Progress::getMissing(const Task &task) const {
  std::vector<Task> before = getBefore(task);
  return *std::find_if(before.begin(), before.end(),
                       [&](const Task &other) { return ends[getIndex(other)] == kNotYet; });
}

double Progress::getSeconds(const Task &task) const {
  const Costs::Stage &stage = costs.stages[task.stage];
  switch (task.work) {
  case Work::Forward:
    return stage.forward;
  case Work::Backward:
    return stage.backward + (splits ? 0 : stage.weight);
  case Work::Weight:
    return stage.weight;
  }
  return 0;
}

bool Progress::isLast(const Task &task) const {
  return task.work == (splits ? Work::Weight : hasBackward ? Work::Backward : Work::Forward);
}

} // namespace ashlar::schedule
