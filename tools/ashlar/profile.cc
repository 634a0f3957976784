// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/ashlar/profile.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "runtime/base/status.h"
#include "runtime/program/extent.h"
#include "tools/ashlar/workload.h"

namespace ashlar {
namespace {

constexpr int kWarmUp = 2, kMinSteps = 10, kMaxSteps = 1000;
constexpr auto kDuration = std::chrono::seconds(1);

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Measured: per step, per kernel of the program, microseconds; and of whole steps.
struct Samples {
  std::vector<std::vector<double>> kernels;
  std::vector<double> sums, steps, outside;
};

absl::StatusOr<Samples> Measure(Session& session, const fb::EntryT& entry,
                                const std::vector<int64_t>& dims, int64_t context) {
  using Clock = std::chrono::steady_clock;
  ASHLAR_ASSIGN_OR_RETURN(int index, session.program().FindEntry(entry.name));
  SyntheticInputs inputs(entry, dims);
  Samples samples;
  samples.kernels.resize(session.program().metadata().kernels.size());
  std::vector<double> before(entry.launches.size()), step(samples.kernels.size());
  session.Reset();
  session.ClearTimes();
  auto end = Clock::now() + kDuration;
  for (int i = 0; i < kWarmUp + kMinSteps || (Clock::now() < end && i < kMaxSteps); ++i) {
    ASHLAR_RETURN_IF_ERROR(SetContext(session, entry, dims, context));
    auto begin = Clock::now();
    ASHLAR_RETURN_IF_ERROR(session.Run(entry.name, inputs.tensors(), nullptr));
    double us = std::chrono::duration<double, std::micro>(Clock::now() - begin).count(), sum = 0;
    std::fill(step.begin(), step.end(), 0);
    for (size_t l = 0; l < before.size(); ++l) {
      double total = session.times(index)[l].total_us;
      step[entry.launches[l]->kernel] += total - before[l];
      sum += total - before[l];
      before[l] = total;
    }
    if (i < kWarmUp) continue;
    for (size_t k = 0; k < step.size(); ++k) samples.kernels[k].push_back(step[k]);
    samples.sums.push_back(sum);
    samples.steps.push_back(us);
    samples.outside.push_back(us - sum);
  }
  return samples;
}

// One launch's share of work that `calls` alike have done together.
Work PerCall(Work work, int calls) {
  double n = std::max(calls, 1);
  for (double* amount :
       {&work.product_flops, &work.bf16_flops, &work.elementwise_flops, &work.transcendentals, &work.weight_read,
        &work.arena_read, &work.arena_write, &work.state_read, &work.state_write})
    *amount /= n;
  work.items /= std::max(calls, 1);
  return work;
}

void Append(std::string& text, const KernelProfile& kernel, bool limit) {
  char line[160];
  std::snprintf(line, sizeof(line), "    %5d %10.1f %10.1f %10.1f %6.2f %-8s  ", kernel.calls,
                kernel.predicted_us, kernel.median_us, kernel.min_us,
                kernel.median_us > 0 ? kernel.predicted_us / kernel.median_us : 0,
                limit ? getName(kernel.limit) : "");
  text += StrCat(line, kernel.name, "\n");
  if (!kernel.reason.empty()) text += StrCat(std::string(60, ' '), kernel.reason, "\n");
}

// Whether the cost model predicts more than the launch.
bool DoesWork(const KernelProfile& kernel) { return kernel.work.flops() + kernel.work.bytes() > 0; }

}  // namespace

double KernelProfile::error() const {
  return median_us > 0 ? std::abs(predicted_us - median_us) / median_us : 0;
}

double EntryProfile::median_error() const {
  std::vector<double> errors;
  for (const KernelProfile& kernel : kernels)
    if (DoesWork(kernel)) errors.push_back(kernel.error());
  return Median(errors);
}

absl::StatusOr<EntryProfile> ProfileEntry(Session& session, const fb::EntryT& entry,
                                          const std::vector<int64_t>& dims,
                                          const MachineConstants& machine) {
  const fb::ProgramT& program = session.program().metadata();
  int64_t context = DefaultContext(entry, dims);
  ASHLAR_ASSIGN_OR_RETURN(Samples samples, Measure(session, entry, dims, context));
  double share = StateShare(program, entry, dims, context);
  const BoundProgram& bound = session.bound_program();
  const CodeShares shares =
      bound.device() == "cpu" ? getShares(bound.layout().features) : CodeShares();
  std::vector<Work> works;
  EntryProfile profile;
  double arena = 0;
  const auto parts = static_cast<int>(session.last_microbatches());  // a launch runs in each
  for (const auto& launch : entry.launches) {
    works.push_back(WorkOf(program, *launch, session.last_microbatch_dims().data(), share));
    for (int part = 0; part < parts; ++part) profile.sum.work += works.back();
    arena = std::max(arena, works.back().arena_read + works.back().arena_write);
  }
  Residency residency =
      getResidency(profile.sum.work.weight_read, arena, profile.sum.work.state_read, machine);
  profile.entry = entry.name;
  profile.steps = static_cast<int>(samples.steps.size());
  profile.step_us = Median(samples.steps);
  profile.outside_us = Median(samples.outside);
  profile.sum.name = "all kernels";
  profile.sum.median_us = Median(samples.sums);
  profile.sum.min_us = *std::min_element(samples.sums.begin(), samples.sums.end());
  for (size_t k = 0; k < program.kernels.size(); ++k) {
    KernelProfile kernel;
    Prediction sum;
    for (size_t l = 0; l < works.size(); ++l) {
      if (entry.launches[l]->kernel != k) continue;
      Prediction prediction = predict(works[l], residency, machine, shares);
      sum.computeSeconds += parts * prediction.computeSeconds;
      sum.memorySeconds += parts * prediction.memorySeconds;
      sum.launchSeconds += parts * prediction.launchSeconds;
      sum.exposed = prediction.exposed;
      for (int part = 0; part < parts; ++part) kernel.work += works[l];
      kernel.calls += parts;
    }
    if (kernel.calls == 0) continue;
    kernel.name = program.kernels[k]->name;
    kernel.predicted_us = sum.getSeconds() * 1e6;
    kernel.limit = sum.getLimit();
    kernel.median_us = Median(samples.kernels[k]);
    kernel.min_us = *std::min_element(samples.kernels[k].begin(), samples.kernels[k].end());
    kernel.reason = explain(PerCall(kernel.work, kernel.calls), residency,
                            kernel.median_us * 1e-6 / kernel.calls, machine, shares);
    profile.sum.calls += kernel.calls;
    profile.sum.predicted_us += kernel.predicted_us;
    profile.kernels.push_back(std::move(kernel));
  }
  return profile;
}

std::string ToText(const EntryProfile& profile) {
  std::string text = "    calls  predicted     median       best  ratio limit     kernel (us)\n";
  for (const KernelProfile& kernel : profile.kernels) Append(text, kernel, true);
  size_t working = std::count_if(profile.kernels.begin(), profile.kernels.end(), DoesWork);
  Append(text, profile.sum, false);
  char line[300];
  std::snprintf(
      line, sizeof(line),
      "    a step: %.1f us predicted, %.1f us measured; %.1f us in kernels, %.1f us outside "
      "(each the median of %d)\n"
      "    prediction error over %zu kernels: median %.1f %%; of the step %.1f %%\n",
      profile.sum.predicted_us, profile.step_us, profile.sum.median_us, profile.outside_us,
      profile.steps, working, 100 * profile.median_error(), 100 * profile.sum.error());
  return text + line;
}

nlohmann::ordered_json ToJson(const EntryProfile& profile) {
  auto kernels = nlohmann::ordered_json::array();
  for (const KernelProfile& kernel : profile.kernels)
    kernels.push_back({{"name", kernel.name},
                       {"calls", kernel.calls},
                       {"flops", kernel.work.flops()},
                       {"bytes", kernel.work.bytes()},
                       {"predicted_us", kernel.predicted_us},
                       {"median_us", kernel.median_us},
                       {"min_us", kernel.min_us},
                       {"limit", getName(kernel.limit)},
                       {"reason", kernel.reason}});
  return {{"entry", profile.entry},
          {"steps", profile.steps},
          {"predicted_us", profile.sum.predicted_us},
          {"measured_us", profile.step_us},
          {"kernels_us", profile.sum.median_us},
          {"outside_us", profile.outside_us},
          {"median_error", profile.median_error()},
          {"kernels", kernels}};
}

}  // namespace ashlar
