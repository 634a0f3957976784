// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Solver/Path/RowGrouping.h"

#include <algorithm>
#include <map>

namespace ashlar::solver::detail {

void RowGrouping::advance(const std::vector<Event> &rows,
                          const std::vector<std::vector<int64_t>> &pieces, Path::Stage &stage) {
  collect(rows, pieces);
  // Those whose rows have a common future have that of the tightest of them.
  std::map<std::pair<int32_t, int32_t>, int32_t> settled; // by future and piece
  std::vector<int32_t> number(candidates.size());
  for (bool closing : {false, true}) {
    for (size_t c = 0; c < candidates.size(); ++c) {
      Candidate &candidate = candidates[c];
      if ((candidate.future == 0) != closing)
        continue;
      number[c] = int32_t(stage.groups.size());
      if (candidate.future >= 0) {
        auto [it, isNew] = settled.try_emplace({candidate.future, candidate.piece}, number[c]);
        number[c] = it->second;
        if (!isNew) {
          Path::Group &into = stage.groups[size_t(it->second)];
          into.sources.push_back(candidate.group.sources[0]);
          into.harmless = std::min(into.harmless, candidate.group.harmless);
          continue;
        }
      }
      stage.groups.push_back(std::move(candidate.group));
    }
    if (!closing)
      stage.openGroups = stage.groups.size();
  }
  roomOf.assign(stage.groups.size(), 0);
  for (size_t c = 0; c < candidates.size(); ++c)
    if (candidates[c].future < 0)
      roomOf[size_t(number[c])] = candidates[c].room;
  for (const Event &event : rows) {
    const size_t r = size_t(event.row);
    const int32_t c = joins[r];
    if (candidates[size_t(c)].future >= 0)
      room[r] = 0;
    groupOf[r] = event.future == 0 ? -1 : number[size_t(c)];
  }
}

void RowGrouping::collect(const std::vector<Event> &rows,
                          const std::vector<std::vector<int64_t>> &pieces) {
  candidates.clear();
  std::map<std::tuple<bool, int32_t, int32_t>, int32_t> known;
  std::tuple<bool, int32_t, int32_t> last{false, -2, -2};
  int32_t joined = -1;
  for (const Event &event : rows) {
    const size_t r = size_t(event.row);
    const std::tuple key{event.future == 0, groupOf[r], event.piece};
    if (key != last) {
      last = key;
      joined = known.try_emplace(key, int32_t(candidates.size())).first->second;
      if (size_t(joined) == candidates.size()) {
        candidates.push_back({{}, event.piece, event.future, room[r]});
        candidates.back().group.harmless = INT64_MAX;
        if (event.piece >= 0)
          candidates.back().group.bytes = pieces[size_t(event.piece)];
      }
    }
    joins[r] = joined;
    Candidate &candidate = candidates[size_t(joined)];
    candidate.room = std::min(candidate.room, room[r]);
    candidate.group.harmless = std::min(candidate.group.harmless, room[r] - toCome[r]);
    if (candidate.future != event.future)
      candidate.future = -1;
  }
  for (const auto &[key, c] : known) {
    Candidate &candidate = candidates[size_t(c)];
    const int32_t before = std::get<1>(key);
    candidate.group.harmless -= candidate.room;
    candidate.group.sources = {
        {before, (before < 0 ? 0 : roomOf[size_t(before)]) - candidate.room}};
  }
}

} // namespace ashlar::solver::detail
