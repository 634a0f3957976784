// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Problem/Profile.h"

#include <algorithm>

namespace ashlar::solver::detail {
namespace {

void append(Profile &profile, int32_t first, int32_t last, int64_t bytes) {
  if (first >= last || bytes == 0)
    return;
  if (!profile.empty() && profile.back().last == first && profile.back().bytes == bytes)
    profile.back().last = last;
  else
    profile.push_back({first, last, bytes});
}

/// Calls visit(first, last, bytes of a, bytes of b) for the pieces in which both are constant and
/// not both are 0, in order, until it returns false.
template <typename Visit>
void merge(const Profile &a, const Profile &b, Visit visit) {
  size_t i = 0, j = 0;
  int32_t now = INT32_MIN;
  while (i < a.size() || j < b.size()) {
    const int32_t aFirst = i < a.size() ? std::max(a[i].first, now) : INT32_MAX;
    const int32_t bFirst = j < b.size() ? std::max(b[j].first, now) : INT32_MAX;
    const int32_t first = std::min(aFirst, bFirst);
    const bool inA = aFirst == first, inB = bFirst == first;
    int32_t last = std::max(aFirst, bFirst);
    if (last == first)
      last = INT32_MAX;
    if (inA)
      last = std::min(last, a[i].last);
    if (inB)
      last = std::min(last, b[j].last);
    if (!visit(first, last, inA ? a[i].bytes : 0, inB ? b[j].bytes : 0))
      return;
    now = last;
    i += i < a.size() && a[i].last <= now;
    j += j < b.size() && b[j].last <= now;
  }
}

} // namespace

Profile sum(std::vector<Span> spans) {
  std::vector<std::pair<int32_t, int64_t>> changes;
  changes.reserve(spans.size() * 2);
  for (const Span &span : spans)
    if (span.first < span.last) {
      changes.emplace_back(span.first, span.bytes);
      changes.emplace_back(span.last, -span.bytes);
    }
  std::sort(changes.begin(), changes.end());
  Profile result;
  int64_t bytes = 0;
  for (size_t i = 0; i + 1 < changes.size(); ++i) {
    bytes += changes[i].second;
    append(result, changes[i].first, changes[i + 1].first, bytes);
  }
  return result;
}

Profile sum(const Profile &a, const Profile &b) {
  Profile result;
  merge(a, b, [&](int32_t first, int32_t last, int64_t x, int64_t y) {
    append(result, first, last, x + y);
    return true;
  });
  return result;
}

Profile least(const std::vector<Profile> &profiles) {
  if (profiles.empty())
    return {};
  Profile result = profiles[0];
  for (size_t k = 1; k < profiles.size() && !result.empty(); ++k) {
    Profile lower;
    merge(result, profiles[k], [&](int32_t first, int32_t last, int64_t a, int64_t b) {
      append(lower, first, last, std::min(a, b));
      return true;
    });
    result = std::move(lower);
  }
  return result;
}

Profile difference(const Profile &a, const Profile &b) {
  Profile result;
  merge(a, b, [&](int32_t first, int32_t last, int64_t x, int64_t y) {
    append(result, first, last, x - y);
    return true;
  });
  return result;
}

bool within(const Profile &a, const Profile &b) {
  bool result = true;
  merge(a, b, [&](int32_t, int32_t, int64_t x, int64_t y) { return result = x <= y; });
  return result;
}

Profile renumber(const Profile &profile, const std::vector<int32_t> &newRow) {
  Profile result;
  for (const Span &span : profile)
    append(result, newRow[size_t(span.first)], newRow[size_t(span.last)], span.bytes);
  return result;
}

} // namespace ashlar::solver::detail
