// Memory over time: step functions over *rows*.
//
// Time is compressed per space into rows: sets of usages that live at once. A set contained in a
// neighbour's demands nothing more, so a boundary is kept only where a usage begins after another
// has ended. The rows of all spaces are numbered through; each has its limit.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_PROFILE_H
#define ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_PROFILE_H

#include <cstdint>
#include <vector>

namespace ashlar::solver::detail {

/// `bytes` during the rows [first, last).
struct Span {
  int32_t first;
  int32_t last;
  int64_t bytes;

  bool operator==(const Span &other) const {
    return first == other.first && last == other.last && bytes == other.bytes;
  }
};

/// Disjoint spans in order; no bytes are 0, and neighbours that touch differ.
using Profile = std::vector<Span>;

/// Returns the sum of spans in any order, which may overlap and be negative.
Profile sum(std::vector<Span> spans);

/// Returns a + b.
Profile sum(const Profile &a, const Profile &b);

/// Returns, row by row, the least of all profiles.
Profile least(const std::vector<Profile> &profiles);

/// Returns a - b.
Profile difference(const Profile &a, const Profile &b);

/// Whether a is at most b in each row.
bool within(const Profile &a, const Profile &b);

/// Renumbers the rows: row r becomes newRow[r], which does not decrease, and the rows r with
/// newRow[r] == newRow[r + 1] vanish. newRow has an entry for the end.
Profile renumber(const Profile &profile, const std::vector<int32_t> &newRow);

} // namespace ashlar::solver::detail

#endif // ASHLAR_COMPILER_DISTRIBUTION_SOLVER_PROBLEM_PROFILE_H
