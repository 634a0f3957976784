// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/added_tokens.h"

#include <algorithm>

namespace ashlar {

void AddedTokens::Add(const std::u32string& token, int64_t id) {
  if (token.empty()) return;
  ids_[token] = id;
  std::vector<size_t>& lengths = lengths_[token[0]];
  auto place =
      std::lower_bound(lengths.begin(), lengths.end(), token.size(), std::greater<size_t>());
  if (place == lengths.end() || *place != token.size()) lengths.insert(place, token.size());
}

std::vector<AddedTokens::Part> AddedTokens::Split(std::u32string_view text) const {
  std::vector<Part> parts;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    auto lengths = lengths_.find(text[i]);
    size_t found = 0;
    int64_t id = -1;
    for (size_t n = 0; lengths != lengths_.end() && !found && n < lengths->second.size(); ++n) {
      const size_t length = lengths->second[n];
      if (length > text.size() - i) continue;
      auto it = ids_.find(std::u32string(text.substr(i, length)));
      if (it == ids_.end()) continue;
      found = length;
      id = it->second;
    }
    if (!found) {
      ++i;
      continue;
    }
    if (begin < i) parts.push_back({text.substr(begin, i - begin), -1});
    parts.push_back({text.substr(i, found), id});
    i += found;
    begin = i;
  }
  if (begin < text.size()) parts.push_back({text.substr(begin), -1});
  return parts;
}

}  // namespace ashlar
