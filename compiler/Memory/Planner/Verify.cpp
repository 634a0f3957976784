// Checks problems before and plans after planning, by their definition: one sweep over time.
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <algorithm>
#include <map>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "compiler/Memory/Planner/Congruence.h"
#include "compiler/Memory/Planner/Planner.h"

namespace ashlar::planner {
namespace {

constexpr int64_t kLimit = int64_t(1) << 61;

constexpr absl::string_view kBufferPayload = "ashlar.dev/buffer",
                            kFieldPayload = "ashlar.dev/field";

template <typename... Args>
absl::Status invalid(size_t buffer, const char *field, const Args &...args) {
  absl::Status status = absl::InvalidArgumentError(absl::StrCat("buffer ", buffer, ": ", args...));
  status.SetPayload(kBufferPayload, absl::Cord(absl::string_view(absl::StrCat(buffer))));
  status.SetPayload(kFieldPayload, absl::Cord(absl::string_view(field)));
  return status;
}

/// The bytes [lo, hi) that a buffer occupies during [lower, upper).
struct Piece {
  int64_t lower, upper, lo, hi;
  int64_t buffer;
};

/// Cuts a buffer's life at its gaps.
void appendPieces(const Buffer &buffer, int64_t index, int64_t offset, std::vector<Piece> &pieces) {
  auto add = [&](int64_t lower, int64_t upper, int64_t lo, int64_t hi) {
    if (lower < upper && lo < hi)
      pieces.push_back({lower, upper, offset + lo, offset + hi, index});
  };
  std::vector<Gap> gaps = buffer.gaps;
  std::sort(gaps.begin(), gaps.end(), [](const Gap &a, const Gap &b) { return a.lower < b.lower; });
  int64_t time = buffer.lower;
  for (const Gap &gap : gaps) {
    add(time, gap.lower, 0, buffer.size);
    add(gap.lower, gap.upper, gap.windowLower, gap.windowUpper);
    time = gap.upper;
  }
  add(time, buffer.upper, 0, buffer.size);
}

/// Where a buffer lies from the root of its chain of aliases.
struct Root {
  int64_t buffer = -1;
  int64_t delta = 0;
};

/// Returns the root of each buffer, or an error where a chain is a cycle or leaves the problem.
absl::StatusOr<std::vector<Root>> aliasRoots(const std::vector<Buffer> &buffers) {
  constexpr int64_t kUnknown = -1, kOnChain = -2;
  const int64_t count = int64_t(buffers.size());
  std::vector<Root> roots(buffers.size());
  std::vector<int64_t> chain;
  for (int64_t i = 0; i < count; ++i) {
    chain.clear();
    int64_t at = i;
    while (roots[at].buffer == kUnknown && buffers[at].alias) {
      roots[at].buffer = kOnChain;
      chain.push_back(at);
      int64_t next = buffers[at].alias->buffer;
      if (next < 0 || next >= count)
        return invalid(at, "alias", "alias of buffer ", next, ", but there are only ", count,
                       " buffers");
      if (roots[next].buffer == kOnChain)
        return invalid(at, "alias", "its chain of aliases returns to itself");
      at = next;
    }
    if (roots[at].buffer == kUnknown)
      roots[at].buffer = at;
    for (; !chain.empty(); chain.pop_back()) {
      const Alias &alias = *buffers[chain.back()].alias;
      roots[chain.back()] = {roots[at].buffer, roots[alias.buffer].delta + alias.delta};
    }
  }
  return roots;
}

/// Joins what the members of one alias class occupy at each moment, so that the rest of the sweep
/// may take every overlap for a fault.
void joinClass(std::vector<Piece> members, std::vector<Piece> &joined) {
  std::vector<int64_t> times;
  for (const Piece &piece : members) {
    times.push_back(piece.lower);
    times.push_back(piece.upper);
  }
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  std::sort(members.begin(), members.end(),
            [](const Piece &a, const Piece &b) { return a.lower < b.lower; });
  std::vector<Piece> active;
  size_t next = 0;
  for (size_t t = 0; t + 1 < times.size(); ++t) {
    auto ended = [&](const Piece &piece) { return piece.upper <= times[t]; };
    active.erase(std::remove_if(active.begin(), active.end(), ended), active.end());
    for (; next < members.size() && members[next].lower == times[t]; ++next)
      active.push_back(members[next]);
    std::sort(active.begin(), active.end(),
              [](const Piece &a, const Piece &b) { return a.lo < b.lo; });
    for (size_t i = 0; i < active.size();) {
      Piece piece = active[i];
      for (++i; i < active.size() && active[i].lo <= piece.hi; ++i)
        piece.hi = std::max(piece.hi, active[i].hi);
      piece.lower = times[t];
      piece.upper = times[t + 1];
      joined.push_back(piece);
    }
  }
}

/// Checks that no two buffers with an offset of at least 0 overlap in time and address, members of
/// one alias class excepted.
absl::Status checkDisjoint(const std::vector<Buffer> &buffers, const std::vector<Root> &roots,
                           const std::vector<int64_t> &offsets) {
  std::vector<Piece> pieces;
  std::map<int64_t, std::vector<Piece>> classes;
  std::vector<char> shared(buffers.size(), 0);
  for (size_t i = 0; i < buffers.size(); ++i)
    if (roots[i].buffer != int64_t(i))
      shared[roots[i].buffer] = 1;
  for (size_t i = 0; i < buffers.size(); ++i)
    if (offsets[i] >= 0)
      appendPieces(buffers[i], int64_t(i), offsets[i],
                   shared[roots[i].buffer] ? classes[roots[i].buffer] : pieces);
  for (auto &entry : classes)
    joinClass(std::move(entry.second), pieces);

  struct Event {
    int64_t time;
    bool begins;
    const Piece *piece;
  };
  std::vector<Event> events;
  events.reserve(2 * pieces.size());
  for (const Piece &piece : pieces) {
    events.push_back({piece.lower, true, &piece});
    events.push_back({piece.upper, false, &piece});
  }
  std::sort(events.begin(), events.end(), [](const Event &a, const Event &b) {
    return a.time != b.time ? a.time < b.time
                            : a.begins < b.begins; // what ends frees its place first
  });
  std::map<int64_t, const Piece *> live;
  for (const Event &event : events) {
    const Piece &piece = *event.piece;
    if (!event.begins) {
      live.erase(piece.lo);
      continue;
    }
    auto above = live.lower_bound(piece.lo);
    const Piece *other = nullptr;
    if (above != live.end() && above->second->lo < piece.hi)
      other = above->second;
    else if (above != live.begin() && std::prev(above)->second->hi > piece.lo)
      other = std::prev(above)->second;
    if (other)
      return invalid(piece.buffer, "offset", "shares addresses with buffer ", other->buffer,
                     " at step ", event.time, ": [", piece.lo, ", ", piece.hi, ") and [", other->lo,
                     ", ", other->hi, ")");
    live.emplace_hint(above, piece.lo, &piece);
  }
  return absl::OkStatus();
}

absl::Status validateGaps(const Buffer &buffer, size_t index) {
  std::vector<Gap> gaps = buffer.gaps;
  std::sort(gaps.begin(), gaps.end(), [](const Gap &a, const Gap &b) { return a.lower < b.lower; });
  int64_t end = buffer.lower;
  for (const Gap &gap : gaps) {
    if (gap.lower >= gap.upper)
      return invalid(index, "gaps", "gap [", gap.lower, ", ", gap.upper, ") is empty");
    if (gap.lower < buffer.lower || gap.upper > buffer.upper)
      return invalid(index, "gaps", "gap [", gap.lower, ", ", gap.upper, ") leaves the life [",
                     buffer.lower, ", ", buffer.upper, ")");
    if (gap.lower < end)
      return invalid(index, "gaps", "gap [", gap.lower, ", ", gap.upper, ") overlaps another gap");
    if (gap.windowLower < 0 || gap.windowLower > gap.windowUpper || gap.windowUpper > buffer.size)
      return invalid(index, "gaps", "window [", gap.windowLower, ", ", gap.windowUpper,
                     ") is not within the size ", buffer.size);
    end = gap.upper;
  }
  return absl::OkStatus();
}

absl::Status validateBuffer(const Buffer &buffer, size_t index) {
  if (buffer.lower >= buffer.upper)
    return invalid(index, "upper", "life [", buffer.lower, ", ", buffer.upper, ") is empty");
  if (buffer.size < 0)
    return invalid(index, "size", "size ", buffer.size, " is negative");
  if (buffer.alignment < 1)
    return invalid(index, "alignment", "alignment ", buffer.alignment, " is below 1");
  if (buffer.size >= kLimit || buffer.alignment >= kLimit)
    return invalid(index, "size", "size ", buffer.size, " or alignment ", buffer.alignment,
                   " is above 2^61");
  if (buffer.offset) {
    if (*buffer.offset < 0)
      return invalid(index, "offset", "fixed offset ", *buffer.offset, " is negative");
    if (*buffer.offset >= kLimit - buffer.size)
      return invalid(index, "offset", "fixed offset ", *buffer.offset, " plus size ", buffer.size,
                     " is above 2^61");
    if (*buffer.offset % buffer.alignment != 0)
      return invalid(index, "offset", "fixed offset ", *buffer.offset,
                     " is not a multiple of alignment ", buffer.alignment);
  }
  if (buffer.hint && *buffer.hint < 0)
    return invalid(index, "hint", "hint ", *buffer.hint, " is negative");
  if (buffer.alias && (buffer.alias->delta <= -kLimit || buffer.alias->delta >= kLimit))
    return invalid(index, "alias", "alias distance ", buffer.alias->delta, " is beyond 2^61");
  return validateGaps(buffer, index);
}

/// Sums of all sizes and alignments bound every offset that the planner can form.
absl::Status validateSums(const std::vector<Buffer> &buffers) {
  __int128 sum = 0;
  for (size_t i = 0; i < buffers.size(); ++i) {
    const Buffer &buffer = buffers[i];
    int64_t delta = buffer.alias ? buffer.alias->delta : 0;
    sum += __int128(buffer.size) + (buffer.alignment - 1) + (delta < 0 ? -delta : delta);
    if (sum >= kLimit)
      return invalid(i, "size",
                     "the sum of sizes, alignments and alias distances up to here is above 2^61");
  }
  return absl::OkStatus();
}

/// Deduces the fixed offsets and the alignments of whole alias classes, or says which members
/// contradict each other.
absl::Status validateClasses(const std::vector<Buffer> &buffers, const std::vector<Root> &roots) {
  std::vector<int64_t> source(buffers.size(), -1), base(buffers.size(), 0),
      fixed(buffers.size(), -1);
  std::vector<Congruence> aligned(buffers.size());
  for (size_t i = 0; i < buffers.size(); ++i) {
    const Root &root = roots[i];
    std::optional<Congruence> both =
        intersect(aligned[root.buffer], alignedAt(root.delta, buffers[i].alignment));
    if (!both)
      return invalid(i, "alignment", "alignment ", buffers[i].alignment,
                     " contradicts those of its aliases");
    aligned[root.buffer] = *both;
    if (!buffers[i].offset)
      continue;
    int64_t implied = *buffers[i].offset - root.delta;
    if (source[root.buffer] >= 0 && base[root.buffer] != implied)
      return invalid(i, "offset", "fixed offset ", *buffers[i].offset,
                     " contradicts that of buffer ", source[root.buffer],
                     ", of which it is an alias");
    source[root.buffer] = int64_t(i);
    base[root.buffer] = implied;
  }
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (source[roots[i].buffer] < 0)
      continue;
    fixed[i] = base[roots[i].buffer] + roots[i].delta;
    if (fixed[i] < 0 || fixed[i] % buffers[i].alignment != 0)
      return invalid(i, "offset", "offset ", fixed[i], ", which follows from its alias buffer ",
                     source[roots[i].buffer], ", is negative or not a multiple of alignment ",
                     buffers[i].alignment);
  }
  return checkDisjoint(buffers, roots, fixed);
}

} // namespace

absl::Status validateProblem(const Problem &problem) {
  if (problem.capacity && *problem.capacity < 0)
    return absl::InvalidArgumentError(absl::StrCat("capacity ", *problem.capacity, " is negative"));
  for (size_t i = 0; i < problem.buffers.size(); ++i)
    if (absl::Status status = validateBuffer(problem.buffers[i], i); !status.ok())
      return status;
  if (absl::Status status = validateSums(problem.buffers); !status.ok())
    return status;
  absl::StatusOr<std::vector<Root>> roots = aliasRoots(problem.buffers);
  if (!roots.ok())
    return roots.status();
  return validateClasses(problem.buffers, *roots);
}

Fault faultOf(const absl::Status &status) {
  Fault fault;
  int64_t buffer;
  if (auto payload = status.GetPayload(kBufferPayload);
      payload && absl::SimpleAtoi(std::string(*payload), &buffer))
    fault.buffer = buffer;
  if (auto payload = status.GetPayload(kFieldPayload))
    fault.field = std::string(*payload);
  return fault;
}

absl::Status verifyPlan(const Problem &problem, const Plan &plan) {
  const std::vector<Buffer> &buffers = problem.buffers;
  if (plan.offsets.size() != buffers.size())
    return absl::InternalError(absl::StrCat("the plan has ", plan.offsets.size(), " offsets for ",
                                            buffers.size(), " buffers"));
  int64_t peak = 0;
  for (size_t i = 0; i < buffers.size(); ++i) {
    int64_t offset = plan.offsets[i];
    if (offset < 0 || offset % buffers[i].alignment != 0)
      return invalid(i, "offset", "offset ", offset, " is negative or not a multiple of alignment ",
                     buffers[i].alignment);
    if (buffers[i].offset && offset != *buffers[i].offset)
      return invalid(i, "offset", "offset ", offset, " is not the fixed ", *buffers[i].offset);
    if (buffers[i].alias &&
        offset != plan.offsets[buffers[i].alias->buffer] + buffers[i].alias->delta)
      return invalid(i, "alias", "offset ", offset, " does not follow that of its alias");
    peak = std::max(peak, buffers[i].size ? offset + buffers[i].size : 0);
  }
  if (peak != plan.peak)
    return absl::InternalError(
        absl::StrCat("the plan's peak ", plan.peak, " is not the highest end ", peak));
  if (plan.lowerBound > peak)
    return absl::InternalError(
        absl::StrCat("the plan's bound ", plan.lowerBound, " is above its peak ", peak));
  if (problem.capacity && plan.outcome == Outcome::Fits && peak > *problem.capacity)
    return absl::InternalError(
        absl::StrCat("peak ", peak, " exceeds the capacity ", *problem.capacity));
  absl::StatusOr<std::vector<Root>> roots = aliasRoots(buffers);
  if (!roots.ok())
    return roots.status();
  return checkDisjoint(buffers, *roots, plan.offsets);
}

} // namespace ashlar::planner
