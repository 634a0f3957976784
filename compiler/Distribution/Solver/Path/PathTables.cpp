// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Path/PathTables.h"

#include <algorithm>
#include <cstring>

#include "compiler/Distribution/Solver/Problem/Kernels.h"

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
  int64_t steps = 0, kept = 0;
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
      kept += stage.entries;
      if (steps > mostSteps || kept > kMostEntries || stop()) {
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
  const Subproblem &problem = path.problem;
  const size_t width = size_t(problem.strategies(stage.member)), depth = stage.frontier.size();
  // Combinations of all places but the last; the last is the inner loop.
  const size_t inner = depth > 0 ? size_t(problem.strategies(stage.frontier[depth - 1])) : 1;
  std::vector<int32_t> choices(depth, 0);
  std::vector<double> values(width), scratch(width), result(size_t(stage.entries));
  std::vector<const double *> varying;
  std::vector<ptrdiff_t> strides;
  int64_t place = 0; // in the next table
  for (double *out = result.data();; out += inner) {
    const double *rest = next.data() + place;
    const int64_t restStride = depth > 0 ? stage.strides[depth - 1] : 0;
    if (!stage.rows.empty()) {
      for (size_t i = 0; i < inner; ++i, rest += restStride) {
        if (depth > 0)
          choices[depth - 1] = int32_t(i);
        for (size_t x = 0; x < width; ++x)
          values[x] = unary[x] + rest[stage.stays ? x : 0];
        path.addCosts(stage, choices, values.data());
        out[i] = *std::min_element(values.begin(), values.end());
      }
    } else {
      values.assign(unary, unary + width);
      varying.clear();
      strides.clear();
      for (const Path::Stage::Link &link : stage.links) {
        if (size_t(link.place) + 1 == depth) {
          varying.push_back(link.costs);
          strides.push_back(ptrdiff_t(width));
          continue;
        }
        const double *row = link.costs + size_t(choices[size_t(link.place)]) * width;
        for (size_t x = 0; x < width; ++x)
          values[x] += row[x];
      }
      if (stage.stays) {
        varying.push_back(rest);
        strides.push_back(restStride);
      }
      minimiseSums(values.data(), varying.data(), strides.data(), varying.size(), inner, width,
                   scratch.data(), out);
      if (!stage.stays)
        for (size_t i = 0; i < inner; ++i)
          out[i] += rest[restStride * int64_t(i)];
    }
    size_t d = depth > 0 ? depth - 1 : 0;
    while (d > 0) { // advance the odometer of the others
      --d;
      place += stage.strides[d];
      if (++choices[d] < problem.strategies(stage.frontier[d]))
        break;
      place -= stage.strides[d] * choices[d];
      choices[d] = 0;
      if (d == 0)
        return result;
    }
    if (depth <= 1)
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
