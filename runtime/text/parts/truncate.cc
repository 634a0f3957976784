// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/truncate.h"

#include <algorithm>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

int64_t Size(const PostProcessor::Part& part) { return static_cast<int64_t>(part.tokens.size()); }

void Keep(int64_t count, Side side, PostProcessor::Part* part) {
  std::vector<TextToken>& tokens = part->tokens;
  if (count >= Size(*part)) return;
  if (side == Side::kRight)
    tokens.resize(static_cast<size_t>(count));
  else
    tokens.erase(tokens.begin(), tokens.end() - static_cast<std::ptrdiff_t>(count));
}

// The longer one down to the shorter, then both to halves, an odd token going to the one that was
// not shorter.
void KeepLongestFirst(int64_t room, Side side, std::vector<PostProcessor::Part>* parts) {
  int64_t shorter = Size((*parts)[0]), longer = Size((*parts)[1]);
  const bool swapped = shorter > longer;
  if (swapped) std::swap(shorter, longer);
  longer = shorter > room ? shorter : std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = shorter + room % 2;
  }
  if (swapped) std::swap(shorter, longer);
  Keep(shorter, side, &(*parts)[0]);
  Keep(longer, side, &(*parts)[1]);
}

}  // namespace

absl::Status Truncate(const Truncation& truncation, int64_t special,
                      std::vector<PostProcessor::Part>* parts) {
  const int64_t room = truncation.max_length - special;
  int64_t total = 0;
  for (const PostProcessor::Part& part : *parts) total += Size(part);
  if (total <= room) return absl::OkStatus();
  if (truncation.strategy == Truncation::Strategy::kLongestFirst && parts->size() == 2) {
    KeepLongestFirst(room, truncation.side, parts);
    return absl::OkStatus();
  }
  const size_t which = truncation.strategy == Truncation::Strategy::kOnlySecond;
  if (which >= parts->size())
    return InvalidArgument("only the second text may be cut, but there is one text");
  PostProcessor::Part& part = (*parts)[which];
  if (parts->size() == 2 && Size(part) <= total - room)
    return InvalidArgument("the text that may be cut has ", Size(part), " tokens, of which ",
                           total - room, " would have to go");
  Keep(Size(part) - (total - room), truncation.side, &part);
  return absl::OkStatus();
}

}  // namespace ashlar
