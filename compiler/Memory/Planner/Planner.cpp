// Puts the parts in order: check, model, greedy plans, then the search component by component,
// verify.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Memory/Planner/Planner.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "compiler/Memory/Planner/Portfolio.h"

namespace ashlar::planner {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kMostPairs =
    4'000'000; // above it no overlap graph is built: near-linear greedy plans only
constexpr size_t kMostItems =
    5'000; // of a component that is searched, which needs memory for their square

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Clock::time_point deadlineOf(Clock::time_point start, double seconds) {
  constexpr double kForever = 1e9;
  if (!(seconds < kForever))
    return Clock::time_point::max();
  return start + std::chrono::duration_cast<Clock::duration>(
                     std::chrono::duration<double>(std::max(0.0, seconds)));
}

/// The offsets so far and what the search has learned about them.
struct Progress {
  std::vector<int64_t> offsets; // per item
  int64_t lowerBound = 0;       // bytes
  int64_t work = 0;
  bool stopped = false;
};

/// Searches each component whose plan is above what is `enough` for the whole: the capacity, or the
/// highest peak that another component needs anyway.
void searchComponents(const Model &model, const OverlapGraph &graph,
                      const std::optional<int64_t> &capacity, const Options &options,
                      Clock::time_point start, Progress &progress) {
  SearchSpace space(model, graph);
  PortfolioOptions limits;
  limits.threads = options.threads;
  limits.deadline = deadlineOf(start, options.timeLimit);
  const bool fit = capacity.has_value();
  int64_t enough = capacity.value_or(model.lowerBound);
  struct Component {
    int64_t peak;
    std::vector<int32_t> items;
  };
  std::vector<Component> open;
  for (std::vector<int32_t> &items : components(model)) {
    int64_t peak = 0;
    for (int32_t k : items)
      peak = std::max(peak, progress.offsets[k] + model.items[k].height);
    if (peak > enough)
      open.push_back({peak, std::move(items)});
  }
  std::sort(open.begin(), open.end(), [](const Component &a, const Component &b) {
    return a.peak != b.peak ? a.peak > b.peak : a.items[0] < b.items[0];
  });
  for (const Component &component : open) {
    if (component.items.size() > kMostItems) {
      progress.stopped = true;
      continue;
    }
    limits.workLimit = options.workLimit.value_or(INT64_MAX) - progress.work;
    PortfolioResult result = improve(space, component.items, progress.offsets, enough, fit, limits);
    progress.offsets = std::move(result.offsets);
    progress.work += result.work;
    progress.stopped |= result.stopped;
    if (model.exact)
      progress.lowerBound = std::max(progress.lowerBound, result.lowerBound);
    if (fit && result.peak > enough)
      return; // the whole does not fit, or nobody knows
    enough = std::max(enough, result.peak);
  }
}

} // namespace

absl::StatusOr<Plan> planMemory(const Problem &problem, const Options &options) {
  Clock::time_point start = Clock::now();
  if (options.threads < 1)
    return absl::InvalidArgumentError(absl::StrCat("threads ", options.threads, " is below 1"));
  if (!(options.timeLimit >= 0))
    return absl::InvalidArgumentError(
        absl::StrCat("time limit ", options.timeLimit, " is not a number of seconds"));
  if (options.workLimit && *options.workLimit < 0)
    return absl::InvalidArgumentError(
        absl::StrCat("work limit ", *options.workLimit, " is negative"));
  if (absl::Status status = validateProblem(problem); !status.ok())
    return status;
  Model model = buildModel(problem);
  std::optional<OverlapGraph> graph;
  const int64_t enough = std::max(model.lowerBound, problem.capacity.value_or(0));
  Progress progress;
  progress.lowerBound = model.lowerBound;
  progress.offsets = greedyPlan(model, nullptr, enough);
  const bool hopeless = problem.capacity && model.lowerBound > *problem.capacity;
  if (peakOf(model, progress.offsets) > enough) {
    graph = buildOverlaps(model, kMostPairs);
    if (graph) {
      std::vector<int64_t> offsets = greedyPlan(model, &*graph, enough);
      if (peakOf(model, offsets) < peakOf(model, progress.offsets))
        progress.offsets = std::move(offsets);
    }
    if (graph && !hopeless && peakOf(model, progress.offsets) > enough)
      searchComponents(model, *graph, problem.capacity, options, start, progress);
    progress.stopped |= !graph;
  }

  Plan plan;
  plan.offsets = bufferOffsets(model, progress.offsets);
  plan.peak = peakOf(model, progress.offsets);
  plan.lowerBound = progress.lowerBound;
  plan.provedOptimal = plan.peak == plan.lowerBound;
  plan.work = progress.work;
  if (problem.capacity && plan.peak > *problem.capacity)
    plan.outcome = plan.lowerBound > *problem.capacity ? Outcome::DoesNotFit : Outcome::FitNotFound;
  plan.stoppedEarly = progress.stopped && !plan.provedOptimal &&
                      plan.outcome != Outcome::DoesNotFit &&
                      !(problem.capacity && plan.outcome == Outcome::Fits);
  if (absl::Status status = verifyPlan(problem, plan); !status.ok())
    return absl::InternalError(absl::StrCat("the plan is wrong: ", status.message()));
  plan.seconds = secondsSince(start);
  return plan;
}

} // namespace ashlar::planner
