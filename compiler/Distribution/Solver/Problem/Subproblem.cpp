// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Problem/Subproblem.h"

#include <algorithm>
#include <cmath>

namespace ashlar::solver::detail {
namespace {

class SubproblemBuilder {
public:
  SubproblemBuilder(const Core &core, const State &state) : core(core), state(state) {}

  Subproblem build(std::vector<int32_t> members) {
    std::sort(members.begin(), members.end());
    result.members = std::move(members);
    result.rounding = core.rounding;
    result.offsets.push_back(0);
    for (int32_t m = 0; m < result.size(); ++m)
      addMember(m);
    if (!state.penalised.empty())
      addPenalties();
    collectRows();
    return std::move(result);
  }

private:
  int32_t memberOf(int32_t variable) const {
    auto it = std::lower_bound(result.members.begin(), result.members.end(), variable);
    return it != result.members.end() && *it == variable ? int32_t(it - result.members.begin())
                                                         : -1;
  }

  void addMember(int32_t m) {
    const int32_t v = result.members[size_t(m)], size = core.strategies(v);
    const size_t begin = result.unary.size();
    result.unary.insert(result.unary.end(), core.unary(v), core.unary(v) + size);
    const std::vector<Cost> &costs = core.source(v).costs;
    result.exactUnary.insert(result.exactUnary.end(), costs.begin(), costs.end());
    result.offsets.push_back(int32_t(result.unary.size()));
    for (const Core::Neighbour &near : core.neighbours[size_t(v)]) {
      const int32_t other = memberOf(near.other);
      if (other > m)
        continue; // that one adds the pair
      if (other >= 0) {
        const Core::Neighbour &back = core.neighbours[size_t(near.other)][size_t(near.back)];
        result.pairs.push_back({other, m, near.costs, back.costs, near.exact});
        continue;
      }
      const int32_t fixed = state.choices[size_t(near.other)];
      const double *row = near.costs + size_t(fixed) * size_t(size);
      for (int32_t j = 0; j < size; ++j) {
        result.unary[begin + size_t(j)] += row[j];
        Cost &exact = result.exactUnary[begin + size_t(j)];
        exact = add(exact, near.exact->row(fixed)[j]);
      }
    }
  }

  void addPenalties() {
    auto count = [&](int32_t row) {
      return std::lower_bound(state.penalised.begin(), state.penalised.end(), row) -
             state.penalised.begin();
    };
    for (int32_t m = 0; m < result.size(); ++m) {
      const std::vector<Profile> &usages = core.usages(result.members[size_t(m)]);
      for (size_t j = 0; j < usages.size(); ++j) {
        double penalty = 0;
        for (const Span &span : usages[j])
          penalty +=
              state.penalty * double(span.bytes) * double(count(span.last) - count(span.first));
        const size_t k = size_t(result.offsets[size_t(m)]) + j;
        result.unary[k] += std::round(penalty);
        result.exactUnary[k] = add(result.exactUnary[k], Cost(std::round(penalty)));
      }
    }
  }

  /// Joins the rows between two boundaries of the members' spans and keeps those in which the
  /// members can use more than there is.
  void collectRows() {
    std::vector<int32_t> bounds;
    for (int32_t v : result.members)
      for (const Profile &usage : core.usages(v))
        for (const Span &span : usage) {
          bounds.push_back(span.first);
          bounds.push_back(span.last);
        }
    std::sort(bounds.begin(), bounds.end());
    bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
    const size_t pieces = bounds.empty() ? 0 : bounds.size() - 1;
    auto pieceOf = [&](int32_t row) {
      return size_t(std::lower_bound(bounds.begin(), bounds.end(), row) - bounds.begin());
    };
    // What all members use now, and the most that they could.
    std::vector<int64_t> now(pieces, 0), most(pieces, 0), own(pieces, 0);
    for (int32_t v : result.members) {
      const std::vector<Profile> &usages = core.usages(v);
      if (usages.empty())
        continue;
      size_t low = pieces, high = 0;
      for (size_t j = 0; j < usages.size(); ++j)
        for (const Span &span : usages[j])
          for (size_t piece = pieceOf(span.first); bounds[piece] < span.last; ++piece) {
            own[piece] = std::max(own[piece], span.bytes);
            low = std::min(low, piece);
            high = std::max(high, piece + 1);
            if (int32_t(j) == state.choices[size_t(v)])
              now[piece] += span.bytes;
          }
      for (size_t piece = low; piece < high; ++piece) {
        most[piece] += own[piece];
        own[piece] = 0;
      }
    }
    std::vector<int32_t> newRow(pieces + 1, 0);
    for (size_t piece = 0; piece < pieces; ++piece) {
      newRow[piece + 1] = newRow[piece];
      if (most[piece] == 0)
        continue;
      int64_t slack = *std::min_element(state.slack.begin() + bounds[piece],
                                        state.slack.begin() + bounds[piece + 1]);
      if (!state.penalised.empty())
        slack = std::max<int64_t>(slack, 0);
      const int64_t room = now[piece] + slack;
      if (most[piece] <= room)
        continue;
      ++newRow[piece + 1];
      result.room.push_back(room);
      result.rowsOf.emplace_back(bounds[piece], bounds[piece + 1]);
    }
    for (int32_t m = 0; m < result.size(); ++m) {
      const std::vector<Profile> &usages = core.usages(result.members[size_t(m)]);
      for (int32_t j = 0; j < result.strategies(m); ++j) {
        const int32_t begin = int32_t(result.spans.size());
        if (!usages.empty())
          for (const Span &span : usages[size_t(j)]) {
            const int32_t first = newRow[pieceOf(span.first)], last = newRow[pieceOf(span.last)];
            if (first < last)
              result.spans.push_back({first, last, span.bytes});
          }
        result.spansOf.emplace_back(begin, int32_t(result.spans.size()));
      }
    }
  }

  const Core &core;
  const State &state;
  Subproblem result;
};

} // namespace

Cost Subproblem::costOf(const std::vector<int32_t> &choices) const {
  Cost cost = 0;
  for (int32_t m = 0; m < size(); ++m)
    cost = add(cost, exactUnary[size_t(offsets[size_t(m)] + choices[size_t(m)])]);
  for (const Pair &pair : pairs)
    cost = add(cost, pair.exact->row(choices[size_t(pair.a)])[choices[size_t(pair.b)]]);
  return cost;
}

Subproblem makeSubproblem(const Core &core, const State &state, std::vector<int32_t> members) {
  return SubproblemBuilder(core, state).build(std::move(members));
}

} // namespace ashlar::solver::detail
