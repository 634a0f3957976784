// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Iopddl/Iopddl.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/Distribution/Solver/Iopddl/Gzip.h"
#include "nlohmann/json.hpp"

namespace ashlar::solver {
namespace {

/// A list of lists of integers, all in one vector.
struct Lists {
  const char *path;
  bool present = false;
  std::vector<int64_t> values;
  std::vector<size_t> ends; // of each list, in values

  size_t size() const { return ends.size(); }
  size_t begin(size_t list) const { return list == 0 ? 0 : ends[list - 1]; }
  size_t length(size_t list) const { return ends[list] - begin(list); }
  const int64_t *operator[](size_t list) const { return values.data() + begin(list); }
};

template <typename... Parts>
absl::Status fault(const Parts &...parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

/// Collects the fields while nlohmann-json reads; everything else passes by unseen.
class Reader : public nlohmann::json_sax<nlohmann::json> {
public:
  Lists intervals{"problem.nodes.intervals"}, costs{"problem.nodes.costs"},
      usages{"problem.nodes.usages"}, edgeNodes{"problem.edges.nodes"},
      edgeCosts{"problem.edges.costs"};
  std::optional<int64_t> limit;
  bool hasProblem = false;
  absl::Status error;

  bool null() override { return other("null"); }
  bool boolean(bool) override { return other("a boolean"); }
  bool string(string_t &) override { return other("a string"); }
  bool binary(binary_t &) override { return other("binary data"); }
  bool number_integer(number_integer_t value) override { return integer(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > uint64_t(std::numeric_limits<int64_t>::max()))
      return other("a number above 2^63 - 1");
    return integer(int64_t(value));
  }
  bool number_float(number_float_t value, const string_t &text) override {
    if (std::fabs(value) < 9.2e18 && value == std::floor(value))
      return integer(int64_t(value));
    return other(text);
  }

  bool start_object(size_t) override {
    if (current || isLimit())
      return other("an object");
    frames.push_back({arrays, path.size()});
    inLists += arrays > 0;
    arrays = 0;
    current = nullptr;
    return true;
  }
  bool key(string_t &name) override {
    path.resize(frames.back().pathLength);
    absl::StrAppend(&path, path.empty() ? "" : ".", name);
    current = nullptr;
    if (frames.size() != keysInPath() || inLists > 0)
      return true;
    hasProblem |= path == "problem";
    for (Lists *lists : {&intervals, &costs, &usages, &edgeNodes, &edgeCosts})
      if (path == lists->path) {
        if (lists->present)
          return fail(path, "is there twice");
        lists->present = true;
        current = lists;
      }
    return true;
  }
  bool end_object() override {
    path.resize(frames.back().pathLength);
    arrays = frames.back().arrays;
    inLists -= arrays > 0;
    frames.pop_back();
    current = nullptr;
    return true;
  }
  bool start_array(size_t) override {
    if (isLimit())
      return other("a list");
    ++arrays;
    return !current || arrays <= 2 || fail(position(), "expected an integer, found a list");
  }
  bool end_array() override {
    if (current && arrays == 2)
      current->ends.push_back(current->values.size());
    if (--arrays == 0)
      current = nullptr;
    return true;
  }
  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &ex) override {
    std::string_view what = ex.what();
    if (size_t colon = what.find("syntax error"); colon != what.npos)
      what.remove_prefix(colon);
    error =
        fault("not JSON, at byte ", position, ": ", absl::string_view(what.data(), what.size()));
    return false;
  }

private:
  struct Frame {
    int arrays;
    size_t pathLength;
  };

  size_t keysInPath() const { return 1 + size_t(std::count(path.begin(), path.end(), '.')); }
  bool isLimit() const {
    return arrays == 0 && frames.size() == 2 && inLists == 0 && path == "problem.usage_limit";
  }

  bool fail(absl::string_view field, absl::string_view text) {
    error = fault(field, ": ", text);
    return false;
  }
  /// Where the next value stands, as in problem.nodes.costs[3][1].
  std::string position() const {
    std::string result = current->path;
    if (arrays >= 1)
      absl::StrAppend(&result, "[", current->size(), "]");
    if (arrays >= 2)
      absl::StrAppend(&result, "[",
                      current->values.size() - (current->ends.empty() ? 0 : current->ends.back()),
                      "]");
    return result;
  }
  bool other(absl::string_view found) {
    if (isLimit())
      return fail(path, absl::StrCat("expected an integer, found ", found));
    if (current)
      return fail(position(), absl::StrCat("expected ", arrays == 2 ? "an integer" : "a list",
                                           ", found ", found));
    return true;
  }
  bool integer(int64_t value) {
    if (current) {
      if (arrays != 2)
        return other("a number");
      current->values.push_back(value);
    } else if (isLimit()) {
      if (limit)
        return fail(path, "is there twice");
      limit = value;
    }
    return true;
  }

  std::vector<Frame> frames; // the objects around
  int inLists = 0;           // of them
  int arrays = 0;            // around, within the innermost object
  std::string path;          // of keys
  Lists *current = nullptr;  // the field that is being read
};

absl::Status checkPresence(const Reader &reader) {
  if (!reader.hasProblem)
    return fault("problem: is missing");
  for (const Lists *lists :
       {&reader.intervals, &reader.costs, &reader.usages, &reader.edgeNodes, &reader.edgeCosts})
    if (!lists->present)
      return fault(lists->path, ": is missing");
  if (!reader.limit)
    return fault("problem.usage_limit: is missing");
  if (*reader.limit < 0)
    return fault("problem.usage_limit: ", *reader.limit, " is negative");
  for (const Lists *lists : {&reader.costs, &reader.usages})
    if (lists->size() != reader.intervals.size())
      return fault(lists->path, ": expected ", reader.intervals.size(),
                   " lists, one per interval, found ", lists->size());
  if (reader.edgeCosts.size() != reader.edgeNodes.size())
    return fault("problem.edges.costs: expected ", reader.edgeNodes.size(),
                 " lists, one per pair of nodes, found ", reader.edgeCosts.size());
  return absl::OkStatus();
}

absl::Status checkNotNegative(const Lists &lists) {
  for (size_t i = 0; i < lists.size(); ++i)
    for (size_t j = 0; j < lists.length(i); ++j)
      if (lists[i][j] < 0)
        return fault(lists.path, "[", i, "][", j, "]: ", lists[i][j], " is negative");
  return absl::OkStatus();
}

absl::Status checkNodes(const Reader &reader) {
  for (size_t i = 0; i < reader.intervals.size(); ++i) {
    if (reader.intervals.length(i) != 2)
      return fault(reader.intervals.path, "[", i, "]: expected 2 times, found ",
                   reader.intervals.length(i));
    if (const int64_t *times = reader.intervals[i]; times[0] > times[1])
      return fault(reader.intervals.path, "[", i, "]: ends at ", times[1], ", before it begins at ",
                   times[0]);
    if (reader.costs.length(i) == 0)
      return fault(reader.costs.path, "[", i, "]: a node needs a strategy");
    if (reader.usages.length(i) != reader.costs.length(i))
      return fault(reader.usages.path, "[", i, "]: expected ", reader.costs.length(i),
                   " usages, one per strategy, found ", reader.usages.length(i));
  }
  return absl::OkStatus();
}

absl::Status checkEdges(const Reader &reader) {
  const int64_t nodes = int64_t(reader.costs.size());
  for (size_t k = 0; k < reader.edgeNodes.size(); ++k) {
    if (reader.edgeNodes.length(k) != 2)
      return fault(reader.edgeNodes.path, "[", k, "]: expected 2 nodes, found ",
                   reader.edgeNodes.length(k));
    const int64_t *ends = reader.edgeNodes[k];
    for (int end = 0; end < 2; ++end)
      if (ends[end] < 0 || ends[end] >= nodes)
        return fault(reader.edgeNodes.path, "[", k, "][", end, "]: ", ends[end],
                     " is not one of the ", nodes, " nodes");
    if (ends[0] == ends[1])
      return fault(reader.edgeNodes.path, "[", k, "]: joins node ", ends[0], " to itself");
    const size_t rows = reader.costs.length(size_t(ends[0]));
    const size_t columns = reader.costs.length(size_t(ends[1]));
    if (reader.edgeCosts.length(k) != rows * columns)
      return fault(reader.edgeCosts.path, "[", k, "]: expected ", rows * columns, " costs (", rows,
                   " x ", columns, " strategies), found ", reader.edgeCosts.length(k));
  }
  return absl::OkStatus();
}

Problem toProblem(const Reader &reader) {
  Problem problem;
  problem.limits = {*reader.limit};
  problem.nodes.resize(reader.costs.size());
  for (size_t i = 0; i < problem.nodes.size(); ++i) {
    const int64_t *times = reader.intervals[i];
    std::vector<Strategy> &strategies = problem.nodes[i].strategies;
    strategies.resize(reader.costs.length(i));
    for (size_t j = 0; j < strategies.size(); ++j) {
      strategies[j].cost = reader.costs[i][j];
      if (reader.usages[i][j] > 0 && times[0] < times[1])
        strategies[j].usages = {{0, times[0], times[1], reader.usages[i][j]}};
    }
  }
  problem.edges.resize(reader.edgeNodes.size());
  for (size_t k = 0; k < problem.edges.size(); ++k) {
    Edge &edge = problem.edges[k];
    edge.first = int32_t(reader.edgeNodes[k][0]);
    edge.second = int32_t(reader.edgeNodes[k][1]);
    edge.costs.assign(reader.edgeCosts[k], reader.edgeCosts[k] + reader.edgeCosts.length(k));
  }
  return problem;
}

} // namespace

absl::StatusOr<Problem> parseIopddl(absl::string_view text) {
  Reader reader;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &reader))
    return reader.error;
  if (absl::Status status = checkPresence(reader); !status.ok())
    return status;
  for (const Lists *lists : {&reader.costs, &reader.usages, &reader.edgeCosts})
    if (absl::Status status = checkNotNegative(*lists); !status.ok())
      return status;
  if (absl::Status status = checkNodes(reader); !status.ok())
    return status;
  if (absl::Status status = checkEdges(reader); !status.ok())
    return status;
  Problem problem = toProblem(reader);
  if (absl::Status status = validateProblem(problem); !status.ok())
    return fault("problem.", status.message());
  return problem;
}

absl::StatusOr<Problem> readIopddl(const std::string &path) {
  absl::StatusOr<std::string> text = readMaybeGzipped(path);
  if (!text.ok())
    return text.status();
  return parseIopddl(*text);
}

std::string printChoices(const std::vector<int32_t> &choices) {
  return absl::StrCat("[", absl::StrJoin(choices, ", "), "]\n");
}

} // namespace ashlar::solver
