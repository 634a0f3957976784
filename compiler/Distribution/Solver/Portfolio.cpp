// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Portfolio.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/Distribution/Solver/Bounds/Dual.h"
#include "compiler/Distribution/Solver/Path/PathSearch.h"
#include "compiler/Distribution/Solver/Search/Neighbourhood.h"

namespace ashlar::solver::detail {
namespace {

using Clock = std::chrono::steady_clock;

// A core is searched at once if it has few variables, or tables of moderate size suffice to solve
// it without its rows.
constexpr int32_t kSmall = 64;
constexpr int64_t kStepsAtOnce = 2'000'000; // for few variables
constexpr int64_t kEntriesAtOnce = 1 << 22;
constexpr int64_t kWorkAtOnce = 200'000'000;
constexpr int64_t kWorkAlongPath = 2'000'000'000;
constexpr double kPathShare = 0.7;    // of the run, at most, for a search along a path
constexpr double kDualShare = 0.25;   // of the run, at most, before the search
constexpr double kDualPortion = 0.02; // of the run, between searches
constexpr int kLeastPasses = 7;       // in such a portion

class Portfolio {
public:
  Portfolio(const Core &core, const PortfolioOptions &options)
      : core(core), options(options), begin(Clock::now()), dual(core) {
    best.cost = options.upper;
  }

  PortfolioResult run() {
    if (core.size() == 0) { // the reductions have decided everything
      result.lowerBound = core.graph.constant;
      result.exhausted = true;
      adoptIfBetter(stateOf({}));
      return std::move(result);
    }
    if (!options.start.empty())
      useStart();
    searchAtOnce();
    if (!done())
      settleDual();
    tell();
    for (uint64_t round = 0; !done(); ++round) {
      raiseFurther();
      startAfresh(round);
      if (!done() && result.found)
        improveBest(round);
      tell();
    }
    if (!result.exhausted && !isAllowed(best.cost))
      decode(); // there was hardly any time
    result.work = work / kWorkUnit;
    return std::move(result);
  }

private:
  // --- limits

  /// How much of the run is over, in [0, 1] or more.
  double progress() const {
    if (Clock::now() >= options.deadline)
      return 1;
    double share = 0;
    if (options.workLimit)
      share = double(work) / (double(*options.workLimit) * double(kWorkUnit) + 1);
    if (options.deadline != Clock::time_point::max())
      share = std::max(share, std::chrono::duration<double>(Clock::now() - begin) /
                                  std::chrono::duration<double>(options.deadline - begin));
    return share;
  }
  bool done() const { return result.exhausted || progress() >= 1; }

  /// Limits for a part of the run.
  ImproveOptions slice(double share) const {
    ImproveOptions part;
    part.threads = options.threads;
    part.deadline = options.deadline;
    if (options.workLimit) {
      const double all = double(*options.workLimit) * double(kWorkUnit);
      part.workLimit = int64_t(std::min(all * share, all - double(work)));
    } else if (options.deadline != Clock::time_point::max()) {
      part.deadline =
          std::min(options.deadline, Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                        (options.deadline - begin) * share));
    } else {
      part.workLimit = int64_t(1e9);
    }
    part.enough = std::max(result.lowerBound, Cost(0));
    part.prices = dual.bestPrices();
    return part;
  }

  // --- solutions

  State stateOf(std::vector<int32_t> choices) const {
    State state;
    state.choices = std::move(choices);
    state.slack = core.slackOf(state.choices);
    state.cost = core.costOf(state.choices);
    return state;
  }

  static bool isSolution(const State &state) {
    return isAllowed(state.cost) && std::all_of(state.slack.begin(), state.slack.end(),
                                                [](int64_t slack) { return slack >= 0; });
  }

  void adoptIfBetter(const State &state) {
    const bool better = state.cost < best.cost || (state.cost == best.cost && !result.found);
    if (!better || !isSolution(state))
      return;
    best = state;
    result.found = true;
    result.choices = state.choices;
    result.exhausted |= best.cost <= result.lowerBound;
  }

  /// Completes the start: what it does not say is decided by search.
  void useStart() {
    std::vector<int32_t> choices = options.start, open;
    for (int32_t v = 0; v < core.size(); ++v)
      if (choices[size_t(v)] < 0) {
        choices[size_t(v)] = 0;
        open.push_back(v);
      }
    const State state = stateOf(std::move(choices));
    if (open.empty()) {
      adoptIfBetter(state);
      hint = state;
      return;
    }
    const Subproblem problem = makeSubproblem(core, state, open);
    SearchOptions searchOptions;
    searchOptions.steps = 100 * int64_t(open.size());
    searchOptions.mostWork = 10'000'000;
    const SearchResult found = search(problem, kInfinity, {}, searchOptions);
    work += found.work;
    hint = state;
    if (found.improved)
      for (size_t k = 0; k < open.size(); ++k)
        hint.choices[size_t(open[k])] = found.choices[k];
    hint = stateOf(std::move(hint.choices));
    adoptIfBetter(hint);
  }

  // --- methods

  /// Branch and bound over all variables, where they are few or their tables small.
  void searchAtOnce() {
    std::vector<int32_t> all(size_t(core.size()));
    std::iota(all.begin(), all.end(), 0);
    const State any = stateOf(std::vector<int32_t>(all.size(), 0));
    const Subproblem problem = makeSubproblem(core, any, all);
    int64_t steps = kStepsAtOnce, workAtOnce = 0;
    if (core.size() > kSmall) {
      if (searchAlongPath(problem))
        return;
      const Buckets shape(problem, kEntriesAtOnce, /*allocate=*/false);
      if (!shape.exact() || shape.work() > kWorkAtOnce)
        return;
      workAtOnce = shape.work();
      steps = 10 * int64_t(core.size());
    }
    SearchOptions searchOptions;
    searchOptions.mostEntries = kEntriesAtOnce;
    searchOptions.mostWork = kWorkAtOnce;
    searchOptions.iterations = core.rows() == 0 ? 1 : 30;
    searchOptions.steps = steps;
    if (options.workLimit) {
      const int64_t left = *options.workLimit * kWorkUnit - work;
      searchOptions.steps = std::min(steps, left);
      // Each iteration computes all tables. A short run, which asks for a bound more than for a
      // plan, has no more of them than it pays for; the first gives a bound whatever it takes.
      if (left < kWorkAtOnce)
        searchOptions.iterations = int(std::clamp<int64_t>(left / std::max<int64_t>(1, workAtOnce),
                                                           1, searchOptions.iterations));
    }
    searchOptions.stop = [&] { return Clock::now() >= options.deadline; };
    const Cost upper = isAllowed(best.cost) ? best.cost - core.graph.constant : kInfinity;
    take(search(problem, upper, {}, searchOptions));
    if (!done() && core.size() <= kSmall)
      searchAlongPath(problem);
  }

  /// Labels along a path of all variables; returns whether the core is narrow enough.
  bool searchAlongPath(const Subproblem &problem) {
    SearchOptions searchOptions;
    searchOptions.mostEntries = INT64_MAX;
    searchOptions.mostWork = kWorkAlongPath;
    if (options.workLimit)
      searchOptions.mostWork = std::min(
          kWorkAlongPath, int64_t(kPathShare * double(*options.workLimit * kWorkUnit - work)));
    const double until = progress() + kPathShare * (1 - progress());
    searchOptions.stop = [&, until] {
      return options.deadline != Clock::time_point::max() && progress() >= until;
    };
    const Cost upper = isAllowed(best.cost) ? best.cost - core.graph.constant : kInfinity;
    const SearchResult found = searchPath(problem, upper, searchOptions);
    take(found);
    return found.bound > -kInfinite;
  }

  void take(const SearchResult &found) {
    work += found.work;
    if (found.improved)
      adoptIfBetter(stateOf(found.choices));
    if (found.exhausted) {
      result.exhausted = true;
      if (isAllowed(best.cost))
        result.lowerBound = best.cost;
    } else {
      raiseBound(found.bound);
    }
  }

  void raiseBound(double bound) {
    if (!(std::abs(bound) < 1e35))
      return;
    const Cost raised = core.graph.constant + Cost(std::ceil(bound));
    if (raised <= result.lowerBound)
      return;
    result.lowerBound = raised;
    result.exhausted |= isAllowed(best.cost) && best.cost <= raised;
    result.exhausted |= bound > core.mostCost; // no choices cost as much: there is no solution
  }

  void dualPass() {
    dual.pass(isAllowed(best.cost) ? double(best.cost - core.graph.constant) : kInfinite);
    work += dual.workOfPass();
    raiseBound(dual.provenBound());
  }

  void decode() {
    std::vector<int32_t> choices;
    if (dual.decode(/*withinRows=*/true, choices))
      adoptIfBetter(stateOf(std::move(choices)));
  }

  /// Raises the bound until it hardly moves or its share of the run is over, and takes the
  /// solutions that turn up on the way.
  void settleDual() {
    double before = -kInfinite;
    for (int64_t pass = 1; !done() && (pass < 20 || progress() < kDualShare); ++pass) {
      dualPass();
      if (pass % 5 == 0 || pass < 4)
        decode();
      if (pass % 200 == 0) {
        if (dual.bestBound() - before < 1e-5 * std::abs(dual.bestBound()))
          break;
        before = dual.bestBound();
      }
    }
  }

  /// More of the same, in small portions between the searches.
  void raiseFurther() {
    const bool limited = options.workLimit || options.deadline != Clock::time_point::max();
    const double until = limited ? progress() + kDualPortion : 0;
    double before = dual.bestBound();
    for (int pass = 1; !done() && (pass <= kLeastPasses || progress() < until); ++pass) {
      dualPass();
      if (pass % 100 == 0) {
        if (dual.bestBound() - before < 1e-6 * std::abs(before))
          break;
        before = dual.bestBound();
      }
    }
  }

  /// Starts from the relaxation's present optimum, which exceeds some rows, and improves what comes
  /// out; or from the best solution, after some kicks.
  void startAfresh(uint64_t round) {
    State state;
    ImproveOptions part = slice(0.05);
    part.seed = 2 * round;
    if (round % 3 != 0 && result.found) {
      state = best;
      part.kicks = 1 + int(round % 5);
    } else if (round == 0 && !hint.choices.empty() && !isSolution(hint)) {
      state = hint;
    } else {
      std::vector<int32_t> choices;
      dual.decode(false, choices);
      state = stateOf(std::move(choices));
    }
    if (done() || !isAllowed(state.cost))
      return;
    work += improve(core, state, part);
    if (!isSolution(state))
      return;
    // A promising one gets more time.
    for (double share : {0.01, 0.02, 0.03}) {
      adoptIfBetter(state);
      if (done() || part.kicks > 0 || double(state.cost) > double(best.cost) * (1.02 + share))
        break;
      part = slice(share);
      part.seed = 2 * round + 1;
      work += improve(core, state, part);
    }
    adoptIfBetter(state);
  }

  void tell() const {
    if (options.onProgress)
      options.onProgress(best.cost, result.lowerBound);
  }

  void improveBest(uint64_t round) {
    ImproveOptions part = slice(0.04);
    part.seed = 1000003 * (round + 1);
    work += improve(core, best, part);
    result.choices = best.choices;
    result.exhausted |= best.cost <= result.lowerBound;
  }

  const Core &core;
  const PortfolioOptions &options;
  const Clock::time_point begin;
  Dual dual;
  State best; // only a cost, while it is that of `upper`
  State hint;
  PortfolioResult result;
  int64_t work = 0; // elementary steps
};

} // namespace

PortfolioResult optimise(const Core &core, const PortfolioOptions &options) {
  return Portfolio(core, options).run();
}

} // namespace ashlar::solver::detail
