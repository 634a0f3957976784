// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which part of an extent a rank holds: fb::Cut, evaluated. The compiler's dist dialect
// (dialects/Dist/Sharding.h) has the same rule: the first n mod k of k parts are one longer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "runtime/program/artifact_generated.h"

namespace ashlar {

// How many ranks run a program.
inline int RankCount(const fb::ProgramT& program) {
  int64_t ranks = 1;
  for (const auto& axis : program.mesh) ranks *= axis->size;
  return static_cast<int>(ranks);
}

// How many parts the cuts make.
inline int PartCount(const std::vector<fb::Cut>& cuts) {
  int parts = 1;
  for (const fb::Cut& cut : cuts) parts *= static_cast<int>(cut.size());
  return parts;
}

// The part that a rank holds, of those of its group.
inline int PartOf(const std::vector<fb::Cut>& cuts, int rank) {
  int part = 0;
  for (const fb::Cut& cut : cuts)
    part = part * static_cast<int>(cut.size()) +
           rank / static_cast<int>(cut.stride()) % static_cast<int>(cut.size());
  return part;
}

// The ranks that differ from this one in these indices only, in the order of their parts.
inline std::vector<int> GroupOf(const std::vector<fb::Cut>& cuts, int rank) {
  std::vector<int> group(PartCount(cuts));
  for (int part = 0; part < static_cast<int>(group.size()); ++part) {
    int other = rank, rest = part;
    for (size_t i = cuts.size(); i-- > 0;) {
      const int size = static_cast<int>(cuts[i].size()),
                stride = static_cast<int>(cuts[i].stride());
      other += (rest % size - other / stride % size) * stride;
      rest /= size;
    }
    group[part] = other;
  }
  return group;
}

struct CutRange {
  int64_t begin = 0, size = 0;
};

// Elements [begin, begin + size) of `extent`: part `part` of those that the cuts make.
inline CutRange GetPart(int64_t extent, const std::vector<fb::Cut>& cuts, int part) {
  CutRange range{0, extent};
  int64_t below = PartCount(cuts);
  for (const fb::Cut& cut : cuts) {
    below /= cut.size();
    const int64_t index = part / below % cut.size(), each = range.size / cut.size(),
                  longer = range.size % cut.size();
    range.begin += index * each + std::min(index, longer);
    range.size = each + (index < longer);
  }
  return range;
}

}  // namespace ashlar
