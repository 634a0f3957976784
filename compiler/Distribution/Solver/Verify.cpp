// The checks on what goes in and on what comes out. They share no code with the solver: neither its
// rows nor its matrices.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "compiler/Distribution/Solver/Solver.h"

namespace ashlar::solver {
namespace {

constexpr int64_t kMostBytes = int64_t(1) << 61;

template <typename... Parts>
absl::Status invalid(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

template <typename... Parts>
absl::Status violated(const Parts &...parts) {
  return absl::FailedPreconditionError(absl::StrCat(parts...));
}

absl::Status validateUsage(const Problem &problem, const Usage &usage, const std::string &path) {
  if (usage.space < 0 || size_t(usage.space) >= problem.limits.size())
    return invalid(path, ".space: ", usage.space, " is not one of the ", problem.limits.size(),
                   " spaces");
  if (usage.lower > usage.upper)
    return invalid(path, ".upper: ", usage.upper, " is below lower, ", usage.lower);
  if (usage.bytes < 0)
    return invalid(path, ".bytes: ", usage.bytes, " is negative");
  return absl::OkStatus();
}

/// Also adds to `total` the most that the node can occupy.
absl::Status validateNode(const Problem &problem, size_t index, Cost &total) {
  const Node &node = problem.nodes[index];
  if (node.strategies.empty())
    return invalid("nodes[", index, "].strategies: a node needs a strategy");
  const int64_t size = int64_t(node.strategies.size());
  if (node.pinned && (*node.pinned < 0 || *node.pinned >= size))
    return invalid("nodes[", index, "].pinned: ", *node.pinned, " is not one of the ", size,
                   " strategies");
  Cost most = 0;
  for (size_t j = 0; j < node.strategies.size(); ++j) {
    const Strategy &strategy = node.strategies[j];
    const std::string path = absl::StrCat("nodes[", index, "].strategies[", j, "]");
    if (strategy.cost < 0)
      return invalid(path, ".cost: ", strategy.cost, " is negative");
    Cost bytes = 0;
    for (size_t k = 0; k < strategy.usages.size(); ++k) {
      const Usage &usage = strategy.usages[k];
      if (absl::Status status =
              validateUsage(problem, usage, absl::StrCat(path, ".usages[", k, "]"));
          !status.ok())
        return status;
      if (usage.bytes <= problem.limits[size_t(usage.space)]) // others never fit
        bytes += usage.bytes;
    }
    most = std::max(most, bytes);
  }
  total += most;
  if (total > kMostBytes)
    return invalid("nodes[", index,
                   "].strategies: with those before it, usages that fit add up to "
                   "more than 2^61 bytes");
  return absl::OkStatus();
}

absl::Status validateEdge(const Problem &problem, size_t index) {
  const Edge &edge = problem.edges[index];
  const int32_t ends[2] = {edge.first, edge.second};
  for (int end = 0; end < 2; ++end)
    if (ends[end] < 0 || size_t(ends[end]) >= problem.nodes.size())
      return invalid("edges[", index, "].", end == 0 ? "first" : "second", ": ", ends[end],
                     " is not one of the ", problem.nodes.size(), " nodes");
  if (edge.first == edge.second)
    return invalid("edges[", index, "].second: joins node ", edge.first, " to itself");
  const size_t rows = problem.nodes[size_t(edge.first)].strategies.size();
  const size_t columns = problem.nodes[size_t(edge.second)].strategies.size();
  if (edge.costs.size() != rows * columns)
    return invalid("edges[", index, "].costs: expected ", rows * columns, " costs (", rows, " x ",
                   columns, " strategies), found ", edge.costs.size());
  for (size_t k = 0; k < edge.costs.size(); ++k)
    if (edge.costs[k] < 0)
      return invalid("edges[", index, "].costs[", k, "]: ", edge.costs[k], " is negative");
  return absl::OkStatus();
}

absl::Status validateClass(const Problem &problem, size_t index) {
  const std::vector<int32_t> &members = problem.classes[index];
  if (members.empty())
    return invalid("classes[", index, "]: has no nodes");
  for (size_t k = 0; k < members.size(); ++k) {
    if (members[k] < 0 || size_t(members[k]) >= problem.nodes.size())
      return invalid("classes[", index, "][", k, "]: ", members[k], " is not one of the ",
                     problem.nodes.size(), " nodes");
    const size_t size = problem.nodes[size_t(members[k])].strategies.size();
    const size_t expected = problem.nodes[size_t(members[0])].strategies.size();
    if (size != expected)
      return invalid("classes[", index, "][", k, "]: node ", members[k], " has ", size,
                     " strategies, node ", members[0], " has ", expected);
  }
  return absl::OkStatus();
}

absl::Status validateStart(const Problem &problem) {
  if (problem.start.empty())
    return absl::OkStatus();
  if (problem.start.size() != problem.nodes.size())
    return invalid("start: expected ", problem.nodes.size(), " choices, found ",
                   problem.start.size());
  for (size_t i = 0; i < problem.start.size(); ++i)
    if (problem.start[i] < 0 || size_t(problem.start[i]) >= problem.nodes[i].strategies.size())
      return invalid("start[", i, "]: ", problem.start[i], " is not one of the ",
                     problem.nodes[i].strategies.size(), " strategies");
  return absl::OkStatus();
}

absl::Status verifyMemory(const Problem &problem, const std::vector<int32_t> &choices) {
  std::vector<std::tuple<int32_t, int64_t, Cost>> changes; // space, time, bytes
  for (size_t i = 0; i < choices.size(); ++i)
    for (const Usage &usage : problem.nodes[i].strategies[size_t(choices[i])].usages)
      if (usage.lower < usage.upper) {
        changes.emplace_back(usage.space, usage.lower, usage.bytes);
        changes.emplace_back(usage.space, usage.upper, -Cost(usage.bytes));
      }
  std::sort(changes.begin(), changes.end()); // at equal times what ends comes first
  Cost live = 0;
  for (const auto &[space, time, bytes] : changes) {
    live += bytes;
    if (live > problem.limits[size_t(space)])
      return violated("space ", space, " at time ", time, ": ", toString(live), " bytes of ",
                      problem.limits[size_t(space)]);
  }
  return absl::OkStatus();
}

} // namespace

std::string toString(Cost cost) {
  if (cost < 0)
    return "-" + toString(-cost);
  std::string digits;
  do {
    digits.push_back(char('0' + int(cost % 10)));
    cost /= 10;
  } while (cost > 0);
  return std::string(digits.rbegin(), digits.rend());
}

absl::Status validateProblem(const Problem &problem) {
  if (problem.nodes.size() > size_t(INT32_MAX / 4) || problem.edges.size() > size_t(INT32_MAX / 4))
    return invalid("nodes: more than 2^29 nodes or edges");
  for (size_t space = 0; space < problem.limits.size(); ++space)
    if (problem.limits[space] < 0)
      return invalid("limits[", space, "]: ", problem.limits[space], " is negative");
  Cost total = 0;
  for (size_t i = 0; i < problem.nodes.size(); ++i)
    if (absl::Status status = validateNode(problem, i, total); !status.ok())
      return status;
  for (size_t k = 0; k < problem.edges.size(); ++k)
    if (absl::Status status = validateEdge(problem, k); !status.ok())
      return status;
  for (size_t k = 0; k < problem.classes.size(); ++k)
    if (absl::Status status = validateClass(problem, k); !status.ok())
      return status;
  return validateStart(problem);
}

absl::StatusOr<Cost> verifySolution(const Problem &problem, const std::vector<int32_t> &choices) {
  if (choices.size() != problem.nodes.size())
    return violated("expected ", problem.nodes.size(), " choices, found ", choices.size());
  Cost cost = 0;
  for (size_t i = 0; i < choices.size(); ++i) {
    const Node &node = problem.nodes[i];
    if (choices[i] < 0 || size_t(choices[i]) >= node.strategies.size())
      return violated("node ", i, ": ", choices[i], " is not one of the ", node.strategies.size(),
                      " strategies");
    if (node.pinned && *node.pinned != choices[i])
      return violated("node ", i, ": takes ", choices[i], ", is pinned to ", *node.pinned);
    if (node.strategies[size_t(choices[i])].cost >= kForbidden)
      return violated("node ", i, ": strategy ", choices[i], " is forbidden");
    cost += node.strategies[size_t(choices[i])].cost;
  }
  for (size_t k = 0; k < problem.edges.size(); ++k) {
    const Edge &edge = problem.edges[k];
    const size_t columns = problem.nodes[size_t(edge.second)].strategies.size();
    const int32_t i = choices[size_t(edge.first)], j = choices[size_t(edge.second)];
    const int64_t added = edge.costs[size_t(i) * columns + size_t(j)];
    if (added >= kForbidden)
      return violated("edge ", k, ": strategies ", i, " and ", j, " are forbidden together");
    cost += added;
  }
  for (size_t k = 0; k < problem.classes.size(); ++k)
    for (int32_t member : problem.classes[k])
      if (choices[size_t(member)] != choices[size_t(problem.classes[k][0])])
        return violated("class ", k, ": node ", member, " takes ", choices[size_t(member)],
                        ", node ", problem.classes[k][0], " takes ",
                        choices[size_t(problem.classes[k][0])]);
  if (absl::Status status = verifyMemory(problem, choices); !status.ok())
    return status;
  return cost;
}

} // namespace ashlar::solver
