// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Search/Neighbourhood.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

namespace ashlar::solver::detail {
namespace {

constexpr size_t kTasks = 16;            // per round, whatever the number of threads
constexpr int64_t kWorkOfTask = 5000;    // that a task is worth beside its search
constexpr int64_t kPatience = 24;        // rounds without success, at least
constexpr int64_t kRoundsBeforeRise = 4; // of the penalty, while the rows are exceeded

/// A neighbourhood and what came of it.
struct Task {
  std::vector<int32_t> members; // in order
  SearchOptions options;
  bool kick = false; // one member must change, whatever it costs
  uint64_t seed = 0; // says which
  bool improved = false;
  std::vector<int32_t> choices; // per member
  int64_t work = 0;
};

class Improver {
public:
  Improver(const Core &core, State &state, const ImproveOptions &options)
      : core(core), state(state), options(options), random(options.seed + 1),
        repairing(exceeded(state)), isMember(size_t(core.size()), 0),
        pricesBefore(size_t(core.rows()) + 1, 0), hulls(size_t(core.size()), {0, 0}) {
    for (size_t r = 0; r < options.prices.size(); ++r)
      pricesBefore[r + 1] = pricesBefore[r] + options.prices[r];
    for (int32_t v = 0; v < core.size(); ++v) {
      seeds.push_back(v);
      auto &[first, last] = hulls[size_t(v)];
      for (const Profile &usage : core.usages(v))
        if (!usage.empty()) {
          first = last == 0 ? usage.front().first : std::min(first, usage.front().first);
          last = std::max(last, usage.back().last);
        }
    }
  }

  int64_t run() {
    int64_t work = 0;
    for (; !done(work); ++round) {
      penalise();
      std::vector<Task> tasks(kTasks);
      for (Task &task : tasks)
        describe(task);
      for (int k = 0; round == 0 && !repairing && k < std::min(options.kicks, int(kTasks)); ++k)
        tasks[size_t(k)].kick = true;
      solveAll(tasks);
      const Cost before = state.cost;
      for (const Task &task : tasks) {
        work += task.work;
        if (task.improved)
          adopt(task);
      }
      failures = state.cost < before ? 0 : failures + 1;
    }
    state.penalised.clear();
    return work;
  }

private:
  static bool exceeded(const State &state) {
    return std::any_of(state.slack.begin(), state.slack.end(),
                       [](int64_t slack) { return slack < 0; });
  }

  bool done(int64_t work) const {
    return work >= options.workLimit || std::chrono::steady_clock::now() >= options.deadline ||
           (repairing ? !exceeded(state)
                      : state.cost <= options.enough ||
                            failures > std::max(kPatience, int64_t(core.size()) / 8));
  }

  /// Chooses the rows to be relieved: of each run of exceeded rows the worst one.
  void penalise() {
    state.penalised.clear();
    if (!repairing)
      return;
    const std::vector<int64_t> &slack = state.slack;
    for (size_t r = 0; r < slack.size(); ++r) {
      size_t worst = r;
      for (; r < slack.size() && slack[r] < 0; ++r)
        if (slack[r] < slack[worst])
          worst = r;
      if (slack[worst] < 0)
        state.penalised.push_back(int32_t(worst));
    }
    if (round == 0) {
      state.penalty = 1e-3;
      for (double price : options.prices)
        state.penalty = std::max(state.penalty, 0.5 * price);
    } else if (round % kRoundsBeforeRise == 0) {
      state.penalty *= 1.5;
    }
  }

  // --- the description of a neighbourhood

  size_t below(size_t end) { return size_t(random() % end); }

  void describe(Task &task) {
    const size_t least = size_t(6) << below(5);
    const size_t size = std::min(size_t(core.size()), least + below(least));
    task.options.mostEntries = 1 << 14;
    task.options.mostWork = 1 << 20;
    task.options.iterations = 6;
    task.options.steps = 50 * int64_t(size);
    task.seed = random();
    const int32_t seed = chooseSeed();
    const int32_t row = below(2) == 0 ? chooseRow(seed) : -1;
    if (row >= 0)
      growAround(row, seed, size, task.members);
    else
      growFrom(seed, size, task.members);
    for (int32_t v : task.members)
      isMember[size_t(v)] = 0;
    std::sort(task.members.begin(), task.members.end());
  }

  /// Returns each variable once before any twice; while rows are exceeded, one that uses such a
  /// row.
  int32_t chooseSeed() {
    if (!state.penalised.empty()) {
      const std::vector<int32_t> users = usersOf(state.penalised[below(state.penalised.size())]);
      return users[below(users.size())];
    }
    if (seedsLeft == 0) {
      seedsLeft = seeds.size();
      for (size_t k = seeds.size(); k > 1; --k)
        std::swap(seeds[k - 1], seeds[below(k)]);
    }
    return seeds[--seedsLeft];
  }

  /// Of some rows that the seed may use, the one with the least slack; -1 if it uses none.
  int32_t chooseRow(int32_t seed) {
    int32_t row = -1;
    for (const Profile &usage : core.usages(seed))
      for (const Span &span : usage)
        for (int k = 0; k < 2; ++k) {
          const int32_t r = span.first + int32_t(below(size_t(span.last - span.first)));
          if (row < 0 || state.slack[size_t(r)] < state.slack[size_t(row)])
            row = r;
        }
    return row;
  }

  /// The variables that use memory before and after or in the row.
  std::vector<int32_t> usersOf(int32_t row) const {
    std::vector<int32_t> users;
    for (int32_t v = 0; v < core.size(); ++v)
      if (hulls[size_t(v)].first <= row && row < hulls[size_t(v)].second)
        users.push_back(v);
    return users;
  }

  bool include(int32_t v, std::vector<int32_t> &members) {
    if (isMember[size_t(v)])
      return false;
    isMember[size_t(v)] = 1;
    members.push_back(v);
    return true;
  }

  /// A connected group. It grows from recent members more often than from others, so that it gets
  /// long and thin, which suits the tables.
  void growFrom(int32_t seed, size_t size, std::vector<int32_t> &members) {
    constexpr size_t kRecent = 6;
    include(seed, members);
    for (size_t failures = 0; members.size() < size && failures < 4 * size;) {
      const size_t back = below(3) == 0 ? members.size() : std::min(members.size(), kRecent);
      const auto &near = core.neighbours[size_t(members[members.size() - 1 - below(back)])];
      if (near.empty() || !include(near[below(near.size())].other, members))
        ++failures;
    }
  }

  /// Connected groups around variables that share a row of memory.
  void growAround(int32_t row, int32_t seed, size_t size, std::vector<int32_t> &members) {
    const std::vector<int32_t> users = usersOf(row);
    const size_t groups = 1 + below(6);
    for (size_t g = 0; g < groups; ++g) {
      const size_t target = size * (g + 1) / groups;
      std::vector<int32_t> group{g == 0 ? seed : users[below(users.size())]};
      include(group[0], members);
      for (size_t trial = 0; members.size() < target && trial < 4 * size; ++trial) {
        const auto &near = core.neighbours[size_t(group[below(group.size())])];
        if (near.empty())
          break;
        const int32_t other = near[below(near.size())].other;
        if (include(other, members))
          group.push_back(other);
      }
    }
  }

  // --- its solution

  void solveAll(std::vector<Task> &tasks) {
    std::atomic<size_t> next{0};
    auto work = [&] {
      for (size_t k = next++; k < tasks.size(); k = next++)
        solve(tasks[k]);
    };
    std::vector<std::thread> threads;
    for (int t = 1; t < std::min(options.threads, int(kTasks)); ++t)
      threads.emplace_back(work);
    work();
    for (std::thread &thread : threads)
      thread.join();
  }

  std::vector<int32_t> choicesOf(const std::vector<int32_t> &members) const {
    std::vector<int32_t> choices;
    for (int32_t v : members)
      choices.push_back(state.choices[size_t(v)]);
    return choices;
  }

  void solve(Task &task) const {
    Subproblem problem = makeSubproblem(core, state, task.members);
    const std::vector<int32_t> now = choicesOf(task.members);
    const Cost upper = task.kick ? kInfinity : problem.costOf(now);
    if (task.kick) {
      const size_t m = size_t(task.seed % task.members.size());
      const size_t k = size_t(problem.offsets[m] + now[m]);
      problem.unary[k] = kInfinite;
      problem.exactUnary[k] = kInfinity;
    }
    std::vector<double> prices;
    for (auto [first, last] : problem.rowsOf)
      prices.push_back(pricesBefore[size_t(last)] - pricesBefore[size_t(first)]);
    SearchResult result = search(problem, upper, std::move(prices), task.options);
    task.improved = result.improved;
    task.choices = std::move(result.choices);
    task.work = result.work + kWorkOfTask;
  }

  /// Makes a task's choices if, after those of the tasks before it, they still are an improvement
  /// and exceed no row further.
  void adopt(const Task &task) {
    const Subproblem problem = makeSubproblem(core, state, task.members);
    const std::vector<int32_t> before = choicesOf(task.members);
    const Cost cost = problem.costOf(task.choices);
    if (!isAllowed(cost) || (!task.kick && cost >= problem.costOf(before)))
      return;
    std::vector<int64_t> slack = state.slack;
    for (size_t k = 0; k < before.size(); ++k)
      if (before[k] != task.choices[k] && !core.usages(task.members[k]).empty()) {
        const std::vector<Profile> &usages = core.usages(task.members[k]);
        occupy(usages[size_t(before[k])], 1, slack);
        occupy(usages[size_t(task.choices[k])], -1, slack);
      }
    for (size_t r = 0; r < slack.size(); ++r)
      if (slack[r] < 0 && slack[r] < state.slack[r])
        return;
    for (size_t k = 0; k < before.size(); ++k)
      state.choices[size_t(task.members[k])] = task.choices[k];
    state.slack = std::move(slack);
    state.cost = core.costOf(state.choices);
  }

  static void occupy(const Profile &usage, int64_t sign, std::vector<int64_t> &slack) {
    for (const Span &span : usage)
      for (int32_t r = span.first; r < span.last; ++r)
        slack[size_t(r)] += sign * span.bytes;
  }

  const Core &core;
  State &state;
  const ImproveOptions &options;
  std::mt19937_64 random;
  const bool repairing; // the state is to become a solution
  int64_t round = 0, failures = 0;
  std::vector<int32_t> seeds; // shuffled
  size_t seedsLeft = 0;
  std::vector<char> isMember;       // of the neighbourhood being described
  std::vector<double> pricesBefore; // of the rows, summed up
  std::vector<std::pair<int32_t, int32_t>>
      hulls; // per variable, the rows from its first to its last
};

} // namespace

int64_t improve(const Core &core, State &state, const ImproveOptions &options) {
  if (core.size() == 0)
    return 0;
  return Improver(core, state, options).run();
}

} // namespace ashlar::solver::detail
