// SPDX-License-Identifier: Apache-2.0
#include "compiler/Distribution/Solver/Neighbourhood.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

namespace ashlar::solver::detail {
namespace {

constexpr int kTasks = 16; // per round, whatever the number of threads

struct Task {
  std::vector<int32_t> members;
  SearchOptions options;
  int kind = 0;
  // The outcome; `choices` are per member, in the order of `members`.
  bool improved = false;
  std::vector<int32_t> choices;
  int64_t work = 0;
  double seconds = 0;
};

class Improver {
public:
  Improver(const Core &core, State &state, const ImproveOptions &options)
      : core(core), state(state), options(options), random(options.seed + 1),
        inTask(size_t(core.size()), 0), users(size_t(core.rows())) {
    for (int32_t v = 0; v < core.size(); ++v)
      order.push_back(v);
    repairing = std::any_of(state.slack.begin(), state.slack.end(),
                            [](int64_t slack) { return slack < 0; });
    priceBefore.assign(size_t(core.rows()) + 1, 0);
    for (size_t r = 0; r < options.prices.size(); ++r)
      priceBefore[r + 1] = priceBefore[r] + options.prices[r];
    for (int32_t v = 0; v < core.size(); ++v) {
      std::vector<std::pair<int32_t, int32_t>> covered;
      for (const Profile &usage : core.usages(v))
        for (const Span &span : usage)
          covered.emplace_back(span.first, span.last);
      std::sort(covered.begin(), covered.end());
      int32_t done = -1;
      for (auto [first, last] : covered)
        for (int32_t r = std::max(first, done); r < last; ++r) {
          users[size_t(r)].push_back(v);
          done = r + 1;
        }
    }
  }

  int64_t run() {
    int64_t work = 0;
    const bool trace = std::getenv("TRACE") != nullptr;
    auto t0 = std::chrono::steady_clock::now();
    double nextTrace = 0;
    while (work < options.workLimit && std::chrono::steady_clock::now() < options.deadline &&
           (repairing || state.cost > options.enough)) {
      penalise();
      if (state.penalised.empty() && repairing)
        break;
      std::vector<Task> tasks(kTasks);
      for (Task &task : tasks)
        describe(task);
      solveAll(tasks);
      for (Task &task : tasks) {
        work += task.work;
        trials[task.kind]++;
        spent[task.kind] += task.seconds;
        if (task.improved)
          wins[task.kind] += adopt(task);
      }
      ++rounds;
      if (trace) {
        double now = std::chrono::duration<double>(std::chrono::steady_clock::now() - t0).count();
        if (now > nextTrace) {
          std::fprintf(stderr, "%.1f round %ld cost %s work %ld |", now, (long)rounds,
                       toString(state.cost).c_str(), (long)work);
          for (int k = 0; k < 16; ++k)
            if (trials[k])
              std::fprintf(stderr, " %d:%d/%d %.1f", k, wins[k], trials[k], spent[k]);
          std::fprintf(stderr, "\n");
          nextTrace = now + 5;
          std::fill(wins, wins + 16, 0);
          std::fill(trials, trials + 16, 0);
          std::fill(spent, spent + 16, 0);
        }
      }
    }
    return work;
  }

private:
  uint64_t below(uint64_t end) { return random() % end; }

  int32_t nextSeed() {
    if (cursor == 0) {
      for (size_t k = order.size(); k > 1; --k)
        std::swap(order[k - 1], order[below(k)]);
      cursor = order.size();
    }
    return order[--cursor];
  }

  void describe(Task &task) {
    const int scale = int(below(5)); // 8 to 128 variables
    const size_t size =
        std::min(size_t(core.size()), (size_t(6) << scale) + below(size_t(6) << scale));
    const bool byMemory = below(2) == 0 && core.rows() > 0;
    task.kind = scale + (byMemory ? 8 : 0);
    task.options.mostEntries = 1 << 14;
    task.options.mostWork = 1 << 20;
    task.options.iterations = 6;
    task.options.steps = 50 * int64_t(size);
    int32_t seed = nextSeed();
    if (!state.penalised.empty()) {
      const std::vector<int32_t> &sharing =
          users[size_t(state.penalised[below(state.penalised.size())])];
      seed = sharing[below(sharing.size())];
    }
    if (byMemory)
      growByMemory(task.members, seed, size);
    else
      growByLinks(task.members, seed, size);
    for (int32_t v : task.members)
      inTask[size_t(v)] = 0;
    std::sort(task.members.begin(), task.members.end());
  }

  void include(std::vector<int32_t> &members, int32_t v) {
    if (!inTask[size_t(v)]) {
      inTask[size_t(v)] = 1;
      members.push_back(v);
    }
  }

  void growByLinks(std::vector<int32_t> &members, int32_t seed, size_t size) {
    include(members, seed);
    for (size_t failures = 0; members.size() < size && failures < 4 * size;) {
      const size_t before = members.size();
      // Recent members are favoured: longer, thinner groups.
      const int32_t from =
          members[below(3) == 0 ? below(members.size())
                                : members.size() - 1 - below(std::min<size_t>(members.size(), 6))];
      const auto &near = core.neighbours[size_t(from)];
      if (!near.empty())
        include(members, near[below(near.size())].other);
      failures += members.size() == before;
    }
  }

  /// Variables that use memory in one row that the seed uses, preferably a tight one, each with
  /// some neighbours.
  void growByMemory(std::vector<int32_t> &members, int32_t seed, size_t size) {
    include(members, seed);
    int32_t row = -1;
    for (const Profile &usage : core.usages(seed))
      for (const Span &span : usage)
        for (int k = 0; k < 2; ++k) {
          const int32_t r = span.first + int32_t(below(uint64_t(span.last - span.first)));
          if (row < 0 || state.slack[size_t(r)] < state.slack[size_t(row)])
            row = r;
        }
    if (row < 0)
      return growByLinks(members, seed, size);
    const std::vector<int32_t> &sharing = users[size_t(row)];
    const size_t groups = 1 + below(6);
    for (size_t g = 0; g < groups; ++g) {
      const size_t target = size * (g + 1) / groups;
      std::vector<int32_t> group;
      const int32_t start = g == 0 ? seed : sharing[below(sharing.size())];
      group.push_back(start);
      include(members, start);
      for (size_t failures = 0; members.size() < target && failures < 4 * size; ++failures) {
        const auto &near = core.neighbours[size_t(group[below(group.size())])];
        if (near.empty())
          continue;
        const int32_t other = near[below(near.size())].other;
        if (!inTask[size_t(other)]) {
          include(members, other);
          group.push_back(other);
        }
      }
    }
  }

  void solveAll(std::vector<Task> &tasks) {
    std::atomic<size_t> next{0};
    auto work = [&] {
      for (size_t k = next++; k < tasks.size(); k = next++)
        solve(tasks[k]);
    };
    std::vector<std::thread> threads;
    for (int t = 1; t < options.threads; ++t)
      threads.emplace_back(work);
    work();
    for (std::thread &thread : threads)
      thread.join();
  }

  void solve(Task &task) {
    auto t0 = std::chrono::steady_clock::now();
    const Subproblem problem = makeSubproblem(core, state, task.members);
    std::vector<int32_t> now;
    for (int32_t v : task.members)
      now.push_back(state.choices[size_t(v)]);
    std::vector<double> prices;
    for (auto [first, last] : problem.rowsOf)
      prices.push_back(priceBefore[size_t(last)] - priceBefore[size_t(first)]);
    SearchResult result = search(problem, problem.costOf(now), std::move(prices), task.options);
    task.improved = result.improved;
    task.choices = std::move(result.choices);
    task.work = result.work + 1000;
    task.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - t0).count();
  }

  /// Makes a task's choices if they still are an improvement and still fit.
  bool adopt(const Task &task) {
    const Subproblem problem = makeSubproblem(core, state, task.members);
    std::vector<int32_t> now;
    for (int32_t v : task.members)
      now.push_back(state.choices[size_t(v)]);
    if (problem.costOf(task.choices) >= problem.costOf(now))
      return false;
    std::vector<int64_t> slack = state.slack;
    for (size_t k = 0; k < task.members.size(); ++k)
      occupy(slack, task.members[k], now[k], task.choices[k]);
    for (size_t r = 0; r < slack.size(); ++r)
      if (slack[r] < 0 && slack[r] < state.slack[r])
        return false;
    for (size_t k = 0; k < task.members.size(); ++k)
      state.choices[size_t(task.members[k])] = task.choices[k];
    state.slack = std::move(slack);
    state.cost = core.costOf(state.choices);
    return true;
  }

  void occupy(std::vector<int64_t> &slack, int32_t v, int32_t before, int32_t after) {
    if (before == after || core.usages(v).empty())
      return;
    for (const Span &span : core.usages(v)[size_t(before)])
      for (int32_t r = span.first; r < span.last; ++r)
        slack[size_t(r)] += span.bytes;
    for (const Span &span : core.usages(v)[size_t(after)])
      for (int32_t r = span.first; r < span.last; ++r)
        slack[size_t(r)] -= span.bytes;
  }

  /// Chooses the rows to be relieved: of each run of exceeded rows the worst one.
  void penalise() {
    state.penalised.clear();
    for (size_t r = 0; r < state.slack.size();) {
      size_t worst = r;
      for (; r < state.slack.size() && state.slack[r] < 0; ++r)
        if (state.slack[r] < state.slack[worst])
          worst = r;
      if (worst < state.slack.size() && state.slack[worst] < 0)
        state.penalised.push_back(int32_t(worst));
      r = std::max(r, worst + 1);
    }
    if (state.penalised.empty())
      return;
    if (state.penalty == 0) {
      double most = 0;
      for (size_t r = 0; r < options.prices.size(); ++r)
        most = std::max(most, options.prices[r]);
      state.penalty = std::max(0.5 * most, 1e-3);
    } else if (rounds % 4 == 0) {
      state.penalty *= 1.5; // it takes too long
    }
  }

  const Core &core;
  State &state;
  const ImproveOptions &options;
  std::mt19937_64 random;
  std::vector<int32_t> order; // the seeds, shuffled
  size_t cursor = 0;
  std::vector<char> inTask;
  std::vector<std::vector<int32_t>> users; // per row
  std::vector<double> priceBefore;         // of the rows, summed up
  int64_t rounds = 0;
  bool repairing = false;
  int wins[16] = {}, trials[16] = {};
  double spent[16] = {};
};

} // namespace

int64_t improve(const Core &core, State &state, const ImproveOptions &options) {
  return Improver(core, state, options).run();
}

} // namespace ashlar::solver::detail
