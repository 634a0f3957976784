// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/wordpiece.h"

#include <algorithm>

#include "absl/strings/string_view.h"

namespace ashlar {
namespace {

// Whether a character of UTF-8 begins at this byte.
bool IsBoundary(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

}  // namespace

void WordPiece::Add(std::string token, int64_t id) {
  longest_ = std::max(longest_, token.size());
  ids_[std::move(token)] = id;
}

std::optional<int64_t> WordPiece::Find(std::string_view token) const {
  auto it = ids_.find(absl::string_view(token.data(), token.size()));
  if (it == ids_.end()) return std::nullopt;
  return it->second;
}

void WordPiece::Split(std::string_view word, int64_t unknown, std::vector<int64_t>* ids) const {
  const size_t before = ids->size();
  bool fits =
      static_cast<size_t>(std::count_if(word.begin(), word.end(), IsBoundary)) <= max_characters_;
  std::string piece;
  for (size_t start = 0; fits && start < word.size();) {
    piece = start > 0 ? prefix_ : std::string();
    const size_t prefix = piece.size();
    piece += word.substr(start, longest_);
    std::optional<int64_t> id;
    while (piece.size() > prefix) {
      const size_t end = start + piece.size() - prefix;
      if ((end == word.size() || IsBoundary(word[end])) && (id = Find(piece))) break;
      piece.pop_back();
    }
    fits = id.has_value();
    if (!fits) break;
    ids->push_back(*id);
    start += piece.size() - prefix;
  }
  if (fits) return;
  ids->resize(before);
  ids->push_back(unknown);
}

}  // namespace ashlar
