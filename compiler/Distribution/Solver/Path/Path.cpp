// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Path/Path.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "compiler/Distribution/Solver/Path/RowGrouping.h"

namespace ashlar::solver::detail {
namespace {

constexpr double kMostBits = 22; // of a stage's combinations, for the links alone

} // namespace

Path::Path(const Subproblem &problem, int64_t mostStepsForAll, int64_t mostSteps)
    : problem(problem), isExact(problem.room.size(), 0) {
  if (problem.size() == 0 || !chooseOrder())
    return;
  findUsers();
  takeUpRows(mostStepsForAll);
  if (std::find(isExact.begin(), isExact.end(), 0) != isExact.end())
    takeUpRows(mostSteps);
  layOut();
  classify();
  groupRows();
}

/// Decides next, of the members beside the frontier, the one that leaves the smallest frontier.
/// Returns false once that has become too large.
bool Path::chooseOrder() {
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
    if (frontier + bits[size_t(chosen)] > kMostBits)
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

/// Calls visit(first row, last row, bytes per strategy) for the ranges of rows in which the member
/// uses memory, and the same in each row.
template <typename Visit>
void Path::forEachPiece(int32_t m, Visit visit) const {
  std::vector<int32_t> bounds;
  for (int32_t j = problem.offsets[size_t(m)]; j < problem.offsets[size_t(m) + 1]; ++j)
    for (int32_t s = problem.spansOf[size_t(j)].first; s < problem.spansOf[size_t(j)].second; ++s) {
      bounds.push_back(problem.spans[size_t(s)].first);
      bounds.push_back(problem.spans[size_t(s)].last);
    }
  std::sort(bounds.begin(), bounds.end());
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  for (size_t i = 0; i + 1 < bounds.size(); ++i) {
    const std::vector<int64_t> bytes = bytesIn(bounds[i], m);
    if (std::any_of(bytes.begin(), bytes.end(), [](int64_t b) { return b > 0; }))
      visit(bounds[i], bounds[i + 1], bytes);
  }
}

/// Backwards in the order, rows with a common future form a class; those that a member uses alike
/// leave it together.
void Path::findUsers() {
  const size_t rows = problem.room.size();
  users.resize(rows);
  futures.resize(rows);
  std::vector<int32_t> future(rows, 0), sizes{int32_t(rows)}; // the class of each row; per class
  std::vector<int32_t> covered(1, 0);                         // per class, by the present piece
  for (int32_t k = int32_t(order.size()); k-- > 0;) {
    std::map<std::pair<std::vector<int64_t>, int32_t>, int32_t> known; // piece and class before
    forEachPiece(order[size_t(k)], [&](int32_t first, int32_t last, const auto &bytes) {
      for (int32_t r = first; r < last; ++r)
        ++covered[size_t(future[size_t(r)])];
      int32_t before = -1, after = -1;
      for (int32_t r = first; r < last; ++r) {
        int32_t &its = future[size_t(r)];
        users[size_t(r)].push_back(k);
        futures[size_t(r)].push_back(its);
        if (its != before) {
          before = after = its;
          // The class that nothing uses any more stays what it is.
          if (its == 0 || covered[size_t(its)] < sizes[size_t(its)])
            after = known.try_emplace({bytes, its}, int32_t(sizes.size())).first->second;
          if (after == int32_t(sizes.size())) {
            sizes.push_back(0);
            covered.push_back(0);
          }
        }
        its = after;
      }
      for (int32_t r = first; r < last; ++r) {
        const int32_t old = futures[size_t(r)].back(), its = future[size_t(r)];
        covered[size_t(old)] = 0;
        --sizes[size_t(old)];
        ++sizes[size_t(its)];
      }
    });
  }
  for (size_t r = 0; r < rows; ++r) {
    std::reverse(users[r].begin(), users[r].end());
    std::reverse(futures[r].begin(), futures[r].end());
  }
}

void Path::takeUpRows(int64_t mostSteps) {
  constexpr size_t kMostUsers = 12;
  until.resize(order.size());
  std::iota(until.begin(), until.end(), 0);
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
  for (size_t r = 0; r < users.size(); ++r) {
    const std::vector<int32_t> &its = users[r];
    if (its.empty() || its.size() > kMostUsers)
      continue; // nobody's row is never over its room, at any price
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

void Path::groupRows() {
  std::vector<int64_t> toCome(problem.room.size(), 0);
  auto most = [](const std::vector<int64_t> &bytes) {
    return *std::max_element(bytes.begin(), bytes.end());
  };
  for (int32_t m = 0; m < problem.size(); ++m)
    forEachPiece(m, [&](int32_t first, int32_t last, const auto &bytes) {
      for (int32_t r = first; r < last; ++r)
        toCome[size_t(r)] += most(bytes);
    });
  RowGrouping grouping(problem, std::move(toCome));
  std::vector<size_t> passed(users.size(), 0); // of a row's users
  for (int32_t k = 0; k < int32_t(stages.size()); ++k) {
    std::vector<int32_t> pieceOf(users.size(), -1);
    std::vector<std::vector<int64_t>> pieces;
    forEachPiece(stages[size_t(k)].member, [&](int32_t first, int32_t last, const auto &bytes) {
      auto it = std::find(pieces.begin(), pieces.end(), bytes);
      std::fill(pieceOf.begin() + first, pieceOf.begin() + last, int32_t(it - pieces.begin()));
      if (it == pieces.end())
        pieces.push_back(bytes);
      for (int32_t r = first; r < last; ++r)
        grouping.toCome[size_t(r)] -= most(bytes);
    });
    std::vector<RowGrouping::Event> events;
    for (size_t r = 0; r < users.size(); ++r) {
      passed[r] += pieceOf[r] >= 0;
      if (isExact[r] || passed[r] == 0 || users[r].back() < k)
        continue;
      events.push_back({int32_t(r), pieceOf[r], futures[r][passed[r] - 1]});
    }
    grouping.advance(events, pieces, stages[size_t(k)]);
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
