// The static memory planner: where each buffer of a program lies in one arena, decided before the
// program runs.
//
// A buffer occupies `size` bytes during the half-open interval of steps [lower, upper). Two buffers
// that live at the same step may not share an address; two that do not, may. The question is the
// smallest arena, or whether a given one suffices ("dynamic storage allocation", NP-hard: Garey and
// Johnson, problem SR2). Every plan carries the bound that it can be judged by: no arena is smaller
// than the most bytes live at one step.
//
//     Problem problem;
//     problem.buffers = {{/*lower=*/0, /*upper=*/3, /*size=*/4}, {3, 9, 4}, {0, 9, 4}};
//     absl::StatusOr<Plan> plan = planMemory(problem);   // offsets {4, 4, 0}, peak 8 = lowerBound
//
// The library knows nothing of MLIR, CSV files or devices; Csv.h and Svg.h are front ends to it.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef ASHLAR_COMPILER_MEMORY_PLANNER_PLANNER_H
#define ASHLAR_COMPILER_MEMORY_PLANNER_PLANNER_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ashlar::planner {

/// An interval [lower, upper) of a buffer's life in which it needs less than its whole size: only
/// the bytes [windowLower, windowUpper) relative to its offset, or none at all when they are equal.
struct Gap {
  int64_t lower = 0;
  int64_t upper = 0;
  int64_t windowLower = 0;
  int64_t windowUpper = 0;
};

/// Says that a buffer lies `delta` bytes behind another one, with which it may share addresses at
/// any time: the result of an in-place operation (delta 0), or a slice of a concatenation.
struct Alias {
  int64_t buffer = 0; // index into Problem::buffers
  int64_t delta = 0;  // bytes; offset(this) = offset(buffer) + delta
};

struct Buffer {
  int64_t lower = 0; // first step at which the buffer lives
  int64_t upper = 0; // first step at which it no longer does; above `lower`
  int64_t size = 0;  // bytes; 0 is allowed and occupies nothing
  /// Bytes; the offset is a multiple of it. At least 1, need not be a power of two.
  int64_t alignment = 1;
  std::optional<int64_t> offset; // bytes; the buffer is placed already, here
  std::optional<int64_t> hint;   // bytes; where a former plan had it: a start, never a demand
  std::optional<Alias> alias;    // shares the memory of another buffer
  std::vector<Gap> gaps;         // disjoint, within the life
};

struct Problem {
  std::vector<Buffer> buffers;
  /// Bytes. With it the planner stops at the first plan that fits; without, it minimises the peak.
  std::optional<int64_t> capacity;
};

struct Options {
  /// Seconds until the best plan so far is returned. Where the clock stops a search the result
  /// depends on the machine's speed; `workLimit` stops it at the same plan everywhere.
  double timeLimit = 10;
  /// Placements tried by the search (the greedy pass is not counted); unset: no limit.
  std::optional<int64_t> workLimit;
  /// Threads that share the search. The plan is the same for any number of them, unless the clock
  /// ends the search.
  int threads = 1;
};

enum class Outcome {
  Fits,        // peak <= capacity, or there is no capacity
  DoesNotFit,  // proved: no plan fits
  FitNotFound, // no plan was found, and nothing shows that there is none
};

struct Plan {
  /// Bytes, one per buffer; the best plan found even if it does not fit.
  std::vector<int64_t> offsets;
  int64_t peak = 0;           // bytes; the highest end of any buffer
  int64_t lowerBound = 0;     // bytes; no plan has a smaller peak
  bool provedOptimal = false; // peak == lowerBound
  /// The time or work limit ended the search, or the problem is too large to search at all.
  bool stoppedEarly = false;
  double seconds = 0; // wall time of planMemory
  int64_t work = 0;   // placements tried
  Outcome outcome = Outcome::Fits;
};

/// Returns a plan that has passed verifyPlan. An impossible demand (a negative size, a fixed offset
/// that is not aligned, two fixed buffers in one place, aliases that contradict each other, sums
/// beyond 2^61) is an InvalidArgument error that names the buffer by its index; not fitting is an
/// outcome, not an error.
///
/// Ordinary problems end in near-linear time, at a greedy plan that meets the bound or the
/// capacity. Otherwise a branch-and-bound search takes over; see Search.h.
absl::StatusOr<Plan> planMemory(const Problem &problem, const Options &options = {});

/// Checks in O(n log n), by a sweep over time that shares no code with the planner, that every
/// offset is non-negative, aligned, where it was fixed and consistent with its alias, that no two
/// buffers share an address while both live, that `peak` is the highest end, and that `peak` fits
/// the capacity when the outcome says so.
absl::Status verifyPlan(const Problem &problem, const Plan &plan);

/// Checks what a problem must satisfy before it can be planned; the errors of planMemory.
absl::Status validateProblem(const Problem &problem);

/// Which buffer and which of its fields an error of validateProblem is about, for front ends that
/// know the line it came from.
struct Fault {
  std::optional<int64_t> buffer;
  std::string field; // "size", "offset", ...
};
Fault faultOf(const absl::Status &status);

} // namespace ashlar::planner

#endif // ASHLAR_COMPILER_MEMORY_PLANNER_PLANNER_H
