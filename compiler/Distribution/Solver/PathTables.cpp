// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/PathTables.h"

#include <algorithm>
#include <cstring>

namespace ashlar::solver::detail {

int32_t PathTables::intern(std::vector<double> table) {
  uint64_t hash = table.size();
  for (double value : table) {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    hash = (hash ^ bits) * 0xff51afd7ed558ccdull;
    hash ^= hash >> 32;
  }
  auto [begin, end] = byHash.equal_range(hash);
  for (auto it = begin; it != end; ++it)
    if (tables[size_t(it->second)] == table)
      return it->second;
  byHash.emplace(hash, int32_t(tables.size()));
  tables.push_back(std::move(table));
  return int32_t(tables.size()) - 1;
}

std::optional<double> PathTables::compute(const std::vector<double> &unary, int64_t mostSteps,
                                          const std::function<bool()> &stop) {
  this->unary = unary;
  tables.clear();
  byHash.clear();
  entries.assign(path.stages.size() + 1, {});
  entries.back().table = intern({0.0});
  std::unordered_map<std::string, Entry> known; // by kind, next table and costs
  double sum = 0;
  int64_t steps = 0;
  for (size_t k = path.stages.size(); k-- > 0;) {
    const Path::Stage &stage = path.stages[k];
    const size_t width = size_t(path.problem.strategies(stage.member));
    const double *costs = unary.data() + path.problem.offsets[size_t(stage.member)];
    std::string key(2 * sizeof(int32_t) + width * sizeof(double), '\0');
    std::memcpy(&key[0], &stage.kind, sizeof(int32_t));
    std::memcpy(&key[sizeof(int32_t)], &entries[k + 1].table, sizeof(int32_t));
    std::memcpy(&key[2 * sizeof(int32_t)], costs, width * sizeof(double));
    auto [it, isNew] = known.try_emplace(std::move(key));
    if (isNew) {
      steps += stage.entries * int64_t(width);
      if (steps > mostSteps || stop()) {
        work += steps;
        return std::nullopt;
      }
      std::vector<double> table = minimise(stage, costs, tables[size_t(entries[k + 1].table)]);
      const double least = *std::min_element(table.begin(), table.end());
      if (least < kInfinite)
        for (double &value : table)
          value -= least;
      it->second = {intern(std::move(table)), least};
    }
    entries[k] = it->second;
    sum += it->second.least;
  }
  work += steps + int64_t(path.stages.size());
  return sum;
}

std::vector<double> PathTables::minimise(const Path::Stage &stage, const double *unary,
                                         const std::vector<double> &next) const {
  const size_t width = size_t(path.problem.strategies(stage.member));
  std::vector<int32_t> choices(stage.frontier.size(), 0);
  std::vector<double> values(width), result;
  result.reserve(size_t(stage.entries));
  int64_t place = 0; // in the next table
  while (true) {
    const double *rest = next.data() + place;
    for (size_t x = 0; x < width; ++x)
      values[x] = unary[x] + rest[stage.stays ? x : 0];
    path.addCosts(stage, choices, values.data());
    result.push_back(*std::min_element(values.begin(), values.end()));
    size_t d = choices.size();
    while (d > 0) { // advance the odometer
      --d;
      place += stage.strides[d];
      if (++choices[d] < path.problem.strategies(stage.frontier[d]))
        break;
      place -= stage.strides[d] * choices[d];
      choices[d] = 0;
      if (d == 0)
        return result;
    }
    if (choices.empty())
      return result;
  }
}

int64_t PathTables::placeOf(const Path &path, size_t stage, const std::vector<int32_t> &choices) {
  int64_t place = 0;
  const std::vector<int32_t> &frontier = path.stages[stage].frontier;
  for (size_t d = 0; d < frontier.size(); ++d)
    place = place * path.problem.strategies(frontier[d]) + choices[d];
  return place;
}

void PathTables::addRise(size_t k, int64_t place, const std::vector<int32_t> &choices,
                         const double *linkCosts, double *values) const {
  const Path::Stage &stage = path.stages[k];
  const size_t width = size_t(path.problem.strategies(stage.member));
  const double *costs = unary.data() + path.problem.offsets[size_t(stage.member)];
  const double *rest = tables[size_t(entries[k + 1].table)].data();
  for (size_t d = 0; d < choices.size(); ++d)
    rest += stage.strides[d] * choices[d];
  const double now = tables[size_t(entries[k].table)][size_t(place)] + entries[k].least;
  for (size_t x = 0; x < width; ++x)
    values[x] += costs[x] + linkCosts[x] + rest[stage.stays ? x : 0] - now;
}

} // namespace ashlar::solver::detail
