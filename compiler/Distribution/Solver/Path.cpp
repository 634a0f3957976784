// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Path.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace ashlar::solver::detail {

Path::Path(const Subproblem &problem, int64_t mostSteps)
    : problem(problem), isExact(problem.room.size(), 0) {
  if (problem.size() == 0 || !chooseOrder(mostSteps))
    return;
  takeUpRows(mostSteps);
  layOut();
  classify();
  groupRows();
}

/// Decides next, of the members beside the frontier, the one that leaves the smallest frontier.
/// Returns false once that has become too large.
bool Path::chooseOrder(int64_t mostSteps) {
  const size_t size = size_t(problem.size());
  std::vector<std::vector<int32_t>> near(size);
  for (const Subproblem::Pair &pair : problem.pairs) {
    near[size_t(pair.a)].push_back(pair.b);
    near[size_t(pair.b)].push_back(pair.a);
  }
  std::vector<double> bits(size);
  std::vector<size_t> undecided(size); // neighbours
  for (size_t m = 0; m < size; ++m) {
    std::sort(near[m].begin(), near[m].end());
    near[m].erase(std::unique(near[m].begin(), near[m].end()), near[m].end());
    undecided[m] = near[m].size();
    bits[m] = std::log2(double(problem.strategies(int32_t(m))));
  }
  position.assign(size, -1);
  std::set<int32_t> beside;
  const double mostBits = std::log2(double(mostSteps));
  double frontier = 0;
  for (int32_t next = 0; order.size() < size;) {
    while (position[size_t(next)] >= 0)
      ++next;
    int32_t chosen = beside.empty() ? next : -1;
    double least = 0;
    for (int32_t m : beside) {
      double change = undecided[size_t(m)] > 0 ? bits[size_t(m)] : 0;
      for (int32_t other : near[size_t(m)])
        if (position[size_t(other)] >= 0 && undecided[size_t(other)] == 1)
          change -= bits[size_t(other)];
      if (chosen < 0 || change < least - 1e-9) {
        chosen = m;
        least = change;
      }
    }
    if (frontier + bits[size_t(chosen)] > mostBits)
      return false;
    beside.erase(chosen);
    position[size_t(chosen)] = int32_t(order.size());
    order.push_back(chosen);
    if (undecided[size_t(chosen)] > 0)
      frontier += bits[size_t(chosen)];
    for (int32_t other : near[size_t(chosen)]) {
      --undecided[size_t(other)];
      if (position[size_t(other)] < 0)
        beside.insert(other);
      else if (undecided[size_t(other)] == 0)
        frontier -= bits[size_t(other)];
    }
  }
  return true;
}

void Path::takeUpRows(int64_t mostSteps) {
  constexpr size_t kMostUsers = 12;
  until.resize(order.size());
  for (size_t k = 0; k < order.size(); ++k)
    until[k] = int32_t(k);
  for (const Subproblem::Pair &pair : problem.pairs) {
    const auto [first, last] = std::minmax(position[size_t(pair.a)], position[size_t(pair.b)]);
    until[size_t(first)] = std::max(until[size_t(first)], last);
  }
  std::vector<double> load(order.size(), 0); // bits of a stage's combinations
  auto extend = [&](int32_t k, int32_t from, int32_t to, int sign) {
    const double own = std::log2(double(problem.strategies(order[size_t(k)])));
    for (int32_t p = from; p <= to; ++p)
      load[size_t(p)] += sign * own;
  };
  for (int32_t k = 0; k < int32_t(order.size()); ++k)
    extend(k, k, until[size_t(k)], 1);
  const double mostBits = std::log2(double(mostSteps));
  users.resize(problem.room.size());
  for (int32_t k = 0; k < int32_t(order.size()); ++k) {
    const int32_t m = order[size_t(k)];
    for (int32_t j = problem.offsets[size_t(m)]; j < problem.offsets[size_t(m) + 1]; ++j)
      for (int32_t s = problem.spansOf[size_t(j)].first; s < problem.spansOf[size_t(j)].second; ++s)
        for (int32_t r = problem.spans[size_t(s)].first; r < problem.spans[size_t(s)].last; ++r)
          if (users[size_t(r)].empty() || users[size_t(r)].back() != k)
            users[size_t(r)].push_back(k);
  }
  for (size_t r = 0; r < users.size(); ++r) {
    const std::vector<int32_t> &its = users[r];
    if (its.empty() || its.size() > kMostUsers)
      continue;
    const int32_t last = its.back();
    for (int32_t k : its)
      extend(k, until[size_t(k)] + 1, last, 1);
    isExact[r] = *std::max_element(load.begin() + its.front(), load.begin() + last + 1) <= mostBits;
    for (int32_t k : its)
      if (isExact[r])
        until[size_t(k)] = std::max(until[size_t(k)], last);
      else
        extend(k, until[size_t(k)] + 1, last, -1);
  }
}

std::vector<int64_t> Path::bytesIn(int32_t row, int32_t m) const {
  std::vector<int64_t> bytes;
  for (int32_t j = problem.offsets[size_t(m)]; j < problem.offsets[size_t(m) + 1]; ++j) {
    bytes.push_back(0);
    for (int32_t s = problem.spansOf[size_t(j)].first; s < problem.spansOf[size_t(j)].second; ++s)
      if (const Span &span = problem.spans[size_t(s)]; span.first <= row && row < span.last)
        bytes.back() += span.bytes;
  }
  return bytes;
}

void Path::layOut() {
  stages.resize(order.size());
  std::vector<int32_t> frontier; // places in the order
  auto placeOf = [&](int32_t k) {
    return int32_t(std::lower_bound(frontier.begin(), frontier.end(), k) - frontier.begin());
  };
  std::vector<std::vector<std::pair<int32_t, const double *>>> links(order.size());
  for (const Subproblem::Pair &pair : problem.pairs) {
    const int32_t a = position[size_t(pair.a)], b = position[size_t(pair.b)];
    links[size_t(std::max(a, b))].emplace_back(std::min(a, b), a < b ? pair.ab : pair.ba);
  }
  std::vector<std::vector<int32_t>> complete(order.size()); // exact rows
  for (size_t r = 0; r < users.size(); ++r)
    if (isExact[r])
      complete[size_t(users[r].back())].push_back(int32_t(r));
  for (int32_t k = 0; k < int32_t(order.size()); ++k) {
    Stage &stage = stages[size_t(k)];
    stage.member = order[size_t(k)];
    for (int32_t place : frontier) {
      stage.frontier.push_back(order[size_t(place)]);
      stage.entries *= problem.strategies(order[size_t(place)]);
    }
    std::sort(links[size_t(k)].begin(), links[size_t(k)].end(),
              [](const auto &a, const auto &b) { return a.first < b.first; });
    for (const auto &[other, costs] : links[size_t(k)])
      stage.links.push_back({placeOf(other), costs});
    for (int32_t r : complete[size_t(k)]) {
      ExactRow row{problem.room[size_t(r)], {}, {}, bytesIn(r, stage.member)};
      for (int32_t user : users[size_t(r)])
        if (user != k) {
          row.places.push_back(placeOf(user));
          row.bytes.push_back(bytesIn(r, order[size_t(user)]));
        }
      stage.rows.push_back(std::move(row));
    }
    stage.stays = until[size_t(k)] > k;
    int64_t stride = stage.stays ? problem.strategies(stage.member) : 1;
    stage.strides.assign(frontier.size(), 0);
    std::vector<int32_t> next;
    for (size_t place = frontier.size(); place-- > 0;)
      if (until[size_t(frontier[place])] > k) {
        stage.strides[place] = stride;
        stride *= problem.strategies(stage.frontier[place]);
        next.push_back(frontier[place]);
      }
    std::reverse(next.begin(), next.end());
    if (stage.stays)
      next.push_back(k);
    frontier = std::move(next);
  }
}

/// Numbers the kinds of stages. Equal matrices lie at equal addresses.
void Path::classify() {
  std::map<std::vector<int64_t>, int32_t> known;
  for (Stage &stage : stages) {
    std::vector<int64_t> key{problem.strategies(stage.member), stage.stays,
                             int64_t(stage.frontier.size()), int64_t(stage.links.size())};
    for (size_t place = 0; place < stage.frontier.size(); ++place) {
      key.push_back(problem.strategies(stage.frontier[place]));
      key.push_back(stage.strides[place]);
    }
    for (const Stage::Link &link : stage.links) {
      key.push_back(link.place);
      key.push_back(int64_t(reinterpret_cast<intptr_t>(link.costs)));
    }
    for (const ExactRow &row : stage.rows) {
      key.push_back(row.room);
      key.push_back(int64_t(row.places.size()));
      key.insert(key.end(), row.places.begin(), row.places.end());
      for (const std::vector<int64_t> &bytes : row.bytes)
        key.insert(key.end(), bytes.begin(), bytes.end());
      key.insert(key.end(), row.own.begin(), row.own.end());
    }
    stage.kind = known.try_emplace(std::move(key), int32_t(known.size())).first->second;
  }
  kinds = int32_t(known.size());
}

/// Follows the rows that are not exact from stage to stage.
void Path::groupRows() {
  const size_t rows = problem.room.size();
  std::vector<int32_t> groupOf(rows, -1);
  std::vector<int64_t> toCome(rows, 0); // the most that undecided members may use
  auto envelopeOf = [&](int32_t m) {
    std::map<int32_t, int64_t> most; // per row
    for (int32_t j = problem.offsets[size_t(m)]; j < problem.offsets[size_t(m) + 1]; ++j)
      for (int32_t s = problem.spansOf[size_t(j)].first; s < problem.spansOf[size_t(j)].second; ++s)
        for (int32_t r = problem.spans[size_t(s)].first; r < problem.spans[size_t(s)].last; ++r)
          most[r] = std::max(most[r], problem.spans[size_t(s)].bytes);
    return most;
  };
  for (int32_t m = 0; m < problem.size(); ++m)
    for (auto [r, bytes] : envelopeOf(m))
      toCome[size_t(r)] += bytes;
  std::vector<char> starts(rows + 1);
  for (int32_t k = 0; k < int32_t(stages.size()); ++k) {
    Stage &stage = stages[size_t(k)];
    const int32_t m = stage.member;
    for (auto [r, bytes] : envelopeOf(m))
      toCome[size_t(r)] -= bytes;
    // Between two of these the member uses the same.
    std::fill(starts.begin(), starts.end(), 0);
    starts[0] = 1;
    for (int32_t j = problem.offsets[size_t(m)]; j < problem.offsets[size_t(m) + 1]; ++j)
      for (int32_t s = problem.spansOf[size_t(j)].first; s < problem.spansOf[size_t(j)].second;
           ++s) {
        starts[size_t(problem.spans[size_t(s)].first)] = 1;
        starts[size_t(problem.spans[size_t(s)].last)] = 1;
      }
    std::map<std::tuple<bool, int32_t, std::vector<int64_t>>, int32_t> known; // whether it closes
    std::vector<int32_t> joins(rows, -1);                                     // candidate numbers
    std::vector<Group> groups;
    std::vector<char> closes;
    std::vector<int64_t> bytes;
    int32_t lastGroup = -2, lastJoined = -1;
    bool lastClosing = false;
    for (size_t r = 0; r < rows; ++r) {
      if (starts[r]) {
        bytes = bytesIn(int32_t(r), m);
        if (std::all_of(bytes.begin(), bytes.end(), [](int64_t b) { return b == 0; }))
          bytes.clear();
        lastGroup = -2;
      }
      if (isExact[r] || users[r].empty() || users[r].front() > k || users[r].back() < k)
        continue;
      const bool closing = users[r].back() == k;
      if (groupOf[r] != lastGroup || closing != lastClosing) {
        lastGroup = groupOf[r];
        lastClosing = closing;
        auto [it, isNew] = known.try_emplace({closing, lastGroup, bytes}, int32_t(groups.size()));
        lastJoined = it->second;
        if (isNew) {
          groups.push_back({lastGroup, bytes, INT64_MAX, INT64_MAX});
          closes.push_back(closing);
        }
      }
      Group &group = groups[size_t(lastJoined)];
      group.room = std::min(group.room, problem.room[r]);
      group.harmless = std::min(group.harmless, problem.room[r] - toCome[r]);
      joins[r] = lastJoined;
    }
    std::vector<int32_t> number(groups.size());
    for (bool closing : {false, true}) {
      for (size_t g = 0; g < groups.size(); ++g)
        if (bool(closes[g]) == closing) {
          number[g] = int32_t(stage.groups.size());
          stage.groups.push_back(std::move(groups[g]));
        }
      if (!closing)
        stage.openGroups = stage.groups.size();
    }
    for (size_t r = 0; r < rows; ++r)
      groupOf[r] = joins[r] < 0 ? -1 : number[size_t(joins[r])];
  }
}

void Path::addCosts(const Stage &stage, const std::vector<int32_t> &choices, double *values) const {
  const size_t width = size_t(problem.strategies(stage.member));
  for (const Stage::Link &link : stage.links) {
    const double *row = link.costs + size_t(choices[size_t(link.place)]) * width;
    for (size_t x = 0; x < width; ++x)
      values[x] += row[x];
  }
  for (const ExactRow &row : stage.rows) {
    int64_t left = row.room;
    for (size_t u = 0; u < row.places.size(); ++u)
      left -= row.bytes[u][size_t(choices[size_t(row.places[u])])];
    for (size_t x = 0; x < width; ++x)
      if (row.own[x] > left)
        values[x] = kInfinite;
  }
}

} // namespace ashlar::solver::detail
