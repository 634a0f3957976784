// What of a schedule is done, and when what comes next may begin: the relation that Schedule.h
// states, in one place.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SCHEDULE_PROGRESS_H
#define ASHLAR_COMPILER_DISTRIBUTION_SCHEDULE_PROGRESS_H

#include <limits>

#include "compiler/Distribution/Schedule/Schedule.h"

namespace ashlar::schedule {

inline constexpr double kNotYet = std::numeric_limits<double>::infinity();

class Progress {
public:
  Progress(const Schedule &schedule, Costs costs)
      : shape(schedule.shape), splits(schedule.splitsBackward), hasBackward(schedule.hasBackward),
        costs(std::move(costs)), ends(3 * shape.stages() * shape.microbatches, kNotYet) {}

  /// When everything before a task is done and has arrived; kNotYet if something is not.
  double getStart(const Task &task) const;
  /// One of the tasks that it waits for.
  Task getMissing(const Task &task) const;
  double getSeconds(const Task &task) const;
  void finish(const Task &task, double end) { ends[getIndex(task)] = end; }
  /// Whether nothing needs the stage's activation of this microbatch after the task.
  bool isLast(const Task &task) const;

private:
  size_t getIndex(const Task &task) const;
  /// The tasks that happen right before one.
  std::vector<Task> getBefore(const Task &task) const;

  Shape shape;
  bool splits, hasBackward;
  Costs costs;
  std::vector<double> ends;
};

} // namespace ashlar::schedule

#endif // ASHLAR_COMPILER_DISTRIBUTION_SCHEDULE_PROGRESS_H
