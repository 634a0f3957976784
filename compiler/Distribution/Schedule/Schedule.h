// Pipeline schedules as data: which device does what in which order, made, checked and simulated
// without a compiler around.
//
// A model is cut into stages; with v chunks per device and p devices, stage s lies on device s mod
// p. A schedule is a list of tasks per device. One relation says what happens before what, for
// every schedule:
//
//   F(m, s)  after  F(m, s - 1)
//   B(m, s)  after  F(m, s) and B(m, s + 1)     B: the gradient of the input, and in schedules that
//   W(m, s)  after  B(m, s)                     do not split the backward, of the weights too
//
// Forward-only schedules have no B and no W.
//
//   Schedule schedule = makeSchedule(Kind::OneForwardOneBackward, {4, 8});
//   absl::StatusOr<Timeline> timeline = simulate(schedule, Costs::uniform(4, 1, 1, 1));
//   timeline->bubble;      // share of the devices' time without work
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SCHEDULE_SCHEDULE_H
#define ASHLAR_COMPILER_DISTRIBUTION_SCHEDULE_SCHEDULE_H

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar::schedule {

enum class Work { Forward, Backward, Weight };

struct Task {
  Work work;
  int microbatch;
  int stage;
};
/// `F(3, 1)`
std::string toString(const Task &task);

struct Shape {
  int devices = 1;
  int microbatches = 1;
  int chunks = 1; // stages per device

  int stages() const { return devices * chunks; }
  int deviceOf(int stage) const { return stage % devices; }
};

struct Schedule {
  Shape shape;
  bool hasBackward = true;
  bool splitsBackward = false;          // W are tasks of their own
  std::vector<std::vector<Task>> order; // per device
};

enum class Kind {
  Inference,             // forwards only, with one or several chunks per device
  GPipe,                 // all forwards, then all backwards (Huang et al., 2019)
  OneForwardOneBackward, // PipeDream-Flush (Narayanan et al., 2021)
  Interleaved,           // the same with several chunks per device (ibid.)
  ZeroBubbleH1,          // weight gradients fill the gaps, memory as in 1F1B (Qi et al., 2023)
};

/// Makes a schedule. Interleaved asks for microbatches in multiples of the devices, the other
/// training schedules for one chunk per device; InvalidArgument otherwise.
absl::StatusOr<Schedule> makeSchedule(Kind kind, Shape shape);

/// What the tasks of each stage take and keep.
struct Costs {
  struct Stage {
    double forward = 1, backward = 1, weight = 1; // seconds; backward is of the input's gradient
    double activation = 1;                        // bytes kept from F until the last of B and W
  };
  std::vector<Stage> stages;
  double transfer = 0; // seconds from a task to one on another device that needs its result

  static Costs uniform(int stages, double forward, double backward, double weight);
};

struct Event {
  Task task;
  double begin, end;
};

struct Timeline {
  std::vector<std::vector<Event>> devices;
  double seconds = 0;
  double bubble = 0;             // 1 - work / (devices * seconds)
  std::vector<double> peakBytes; // of activations, per device
};

/// Checks that every task is there once, on the device of its stage. Errors name task and device.
absl::Status validate(const Schedule &schedule);

/// Runs the schedule: each device does its tasks in order, each as soon as what happens before it
/// is done. A standstill is a FailedPrecondition error that names, device by device, which task
/// waits for which.
absl::StatusOr<Timeline> simulate(const Schedule &schedule, const Costs &costs);

} // namespace ashlar::schedule

#endif // ASHLAR_COMPILER_DISTRIBUTION_SCHEDULE_SCHEDULE_H
