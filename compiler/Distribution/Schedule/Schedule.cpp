// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Schedule/Schedule.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/Distribution/Schedule/Progress.h"

namespace ashlar::schedule {

std::string toString(const Task &task) {
  constexpr const char *names[] = {"F", "B", "W"};
  return absl::StrCat(names[static_cast<int>(task.work)], "(", task.microbatch, ", ", task.stage,
                      ")");
}

Costs Costs::uniform(int stages, double forward, double backward, double weight) {
  return {std::vector<Stage>(stages, {forward, backward, weight, 1}), 0};
}

namespace {

/// The i-th forward (or, from the last chunk on, backward) of a device: microbatches go through a
/// chunk in groups of as many as there are devices (the last one of those that are left), then
/// through the next chunk.
Task getTurn(const Shape &shape, Work work, int device, int i) {
  int group = i / (shape.devices * shape.chunks), within = i % (shape.devices * shape.chunks);
  int first = group * shape.devices, size = std::min(shape.devices, shape.microbatches - first);
  int chunk = within / size, microbatch = first + within % size;
  if (work == Work::Backward)
    chunk = shape.chunks - 1 - chunk;
  return {work, microbatch, chunk * shape.devices + device};
}

/// The same without groups, for one chunk per device and any number of microbatches.
Task getTask(const Shape &shape, Work work, int device, int i) {
  return shape.chunks == 1 ? Task{work, i, device} : getTurn(shape, work, device, i);
}

/// Some forwards, then one forward and one backward in turns, then the backwards that are left.
std::vector<Task> alternate(const Shape &shape, int device, int warmup) {
  int count = shape.microbatches * shape.chunks;
  warmup = std::min(warmup, count);
  std::vector<Task> order;
  for (int i = 0; i < warmup; ++i)
    order.push_back(getTask(shape, Work::Forward, device, i));
  for (int i = 0; i < count; ++i) {
    if (warmup + i < count)
      order.push_back(getTask(shape, Work::Forward, device, warmup + i));
    order.push_back(getTask(shape, Work::Backward, device, i));
  }
  return order;
}

int getWarmup(Kind kind, const Shape &shape, int device) {
  int behind = shape.devices - 1 - device;
  switch (kind) {
  case Kind::Inference:
  case Kind::GPipe:
    return shape.microbatches * shape.chunks;
  case Kind::OneForwardOneBackward:
  case Kind::ZeroBubbleH1:
    return behind;
  case Kind::Interleaved: // two turns per device behind, and one of every chunk but the last
    return 2 * behind + (shape.chunks - 1) * shape.devices;
  }
  return 0;
}

/// Puts weight gradients where a device of the 1F1B order would wait, with unit times, as long as
/// it keeps no more microbatches than the first device does in 1F1B.
void addWeights(Schedule &schedule) {
  Progress progress(schedule, Costs::uniform(schedule.shape.stages(), 1, 1, 1));
  std::vector<std::vector<Task>> filled(schedule.shape.devices);
  std::vector<size_t> next(schedule.shape.devices, 0);
  std::vector<std::vector<Task>> owed(schedule.shape.devices); // W whose B is done
  std::vector<int> kept(schedule.shape.devices, 0);
  for (double now = 0;; ++now) {
    bool isLeft = false;
    for (int device = 0; device < schedule.shape.devices; ++device) {
      const std::vector<Task> &order = schedule.order[device];
      bool hasTask = next[device] < order.size();
      isLeft |= hasTask || !owed[device].empty();
      bool fits = hasTask && (order[next[device]].work == Work::Backward ||
                              kept[device] < schedule.shape.devices);
      if (fits && progress.getStart(order[next[device]]) <= now) {
        Task task = order[next[device]++];
        progress.finish(task, now + 1);
        filled[device].push_back(task);
        if (task.work == Work::Forward)
          ++kept[device];
        else
          owed[device].push_back({Work::Weight, task.microbatch, task.stage});
      } else if (!owed[device].empty()) {
        filled[device].push_back(owed[device].front());
        owed[device].erase(owed[device].begin());
        --kept[device];
      }
    }
    if (!isLeft)
      break;
  }
  schedule.order = std::move(filled);
}

} // namespace

absl::StatusOr<Schedule> makeSchedule(Kind kind, Shape shape) {
  if (shape.devices < 1 || shape.microbatches < 1 || shape.chunks < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("a pipeline has devices, microbatches and chunks, found ", shape.devices, ", ",
                     shape.microbatches, " and ", shape.chunks));
  if (kind == Kind::Interleaved && shape.microbatches % shape.devices != 0)
    return absl::InvalidArgumentError(
        absl::StrCat("an interleaved schedule takes microbatches in multiples of the ",
                     shape.devices, " devices, found ", shape.microbatches));
  if (kind != Kind::Interleaved && kind != Kind::Inference && shape.chunks != 1)
    return absl::InvalidArgumentError(
        absl::StrCat("of the schedules for training only the interleaved one has several chunks "
                     "per device, found ",
                     shape.chunks));
  Schedule schedule;
  schedule.shape = shape;
  schedule.hasBackward = kind != Kind::Inference;
  for (int device = 0; device < shape.devices; ++device) {
    schedule.order.push_back(alternate(shape, device, getWarmup(kind, shape, device)));
    if (!schedule.hasBackward)
      schedule.order.back().resize(shape.microbatches * shape.chunks);
  }
  if (kind == Kind::ZeroBubbleH1) {
    schedule.splitsBackward = true;
    addWeights(schedule);
  }
  return schedule;
}

absl::Status validate(const Schedule &schedule) {
  const Shape &shape = schedule.shape;
  if (static_cast<int>(schedule.order.size()) != shape.devices)
    return absl::InvalidArgumentError(
        absl::StrCat("has the order of ", schedule.order.size(), " devices for ", shape.devices));
  int works = schedule.splitsBackward ? 3 : schedule.hasBackward ? 2 : 1;
  std::vector<int> count(works * shape.stages() * shape.microbatches);
  for (int device = 0; device < shape.devices; ++device)
    for (const Task &task : schedule.order[device]) {
      int work = static_cast<int>(task.work);
      if (work >= works || task.microbatch < 0 || task.microbatch >= shape.microbatches ||
          task.stage < 0 || task.stage >= shape.stages() || shape.deviceOf(task.stage) != device)
        return absl::InvalidArgumentError(
            absl::StrCat(toString(task), " does not belong on device ", device));
      if (++count[(work * shape.stages() + task.stage) * shape.microbatches + task.microbatch] > 1)
        return absl::InvalidArgumentError(
            absl::StrCat(toString(task), " is twice on device ", device));
    }
  for (size_t i = 0; i < count.size(); ++i)
    if (count[i] == 0) {
      int stage = static_cast<int>(i) / shape.microbatches;
      Task task{static_cast<Work>(stage / shape.stages()), static_cast<int>(i) % shape.microbatches,
                stage % shape.stages()};
      return absl::InvalidArgumentError(
          absl::StrCat(toString(task), " is missing on device ", shape.deviceOf(task.stage)));
    }
  return absl::OkStatus();
}

absl::StatusOr<Timeline> simulate(const Schedule &schedule, const Costs &costs) {
  if (absl::Status valid = validate(schedule); !valid.ok())
    return valid;
  const Shape &shape = schedule.shape;
  if (static_cast<int>(costs.stages.size()) != shape.stages())
    return absl::InvalidArgumentError(
        absl::StrCat("costs of ", costs.stages.size(), " stages for ", shape.stages()));
  Progress progress(schedule, costs);
  Timeline timeline;
  timeline.devices.resize(shape.devices);
  timeline.peakBytes.resize(shape.devices);
  std::vector<double> kept(shape.devices), free(shape.devices);
  double work = 0;
  for (bool goesOn = true; goesOn;) {
    goesOn = false;
    for (int device = 0; device < shape.devices; ++device) {
      auto &events = timeline.devices[device];
      while (events.size() < schedule.order[device].size()) {
        const Task &task = schedule.order[device][events.size()];
        double begin = progress.getStart(task);
        if (begin == kNotYet)
          break;
        begin = std::max(begin, free[device]);
        free[device] = begin + progress.getSeconds(task);
        progress.finish(task, free[device]);
        events.push_back({task, begin, free[device]});
        work += free[device] - begin;
        if (task.work == Work::Forward)
          kept[device] += costs.stages[task.stage].activation;
        timeline.peakBytes[device] = std::max(timeline.peakBytes[device], kept[device]);
        if (progress.isLast(task))
          kept[device] -= costs.stages[task.stage].activation;
        goesOn = true;
      }
    }
  }
  std::vector<std::string> waiting;
  for (int device = 0; device < shape.devices; ++device)
    if (size_t done = timeline.devices[device].size(); done < schedule.order[device].size()) {
      const Task &task = schedule.order[device][done];
      waiting.push_back(absl::StrCat("device ", device, " waits in ", toString(task), " for ",
                                     toString(progress.getMissing(task))));
    }
  if (!waiting.empty())
    return absl::FailedPreconditionError(
        absl::StrCat("the schedule stands still: ", absl::StrJoin(waiting, "; ")));
  timeline.seconds = *std::max_element(free.begin(), free.end());
  timeline.bubble = 1 - work / (shape.devices * timeline.seconds);
  return timeline;
}

} // namespace ashlar::schedule
