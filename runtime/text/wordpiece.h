// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// WordPiece: a word is cut, from its beginning, into the longest pieces that the vocabulary holds;
// pieces after the first carry a prefix ("playing" -> play ##ing). A word that cannot be cut to its
// end, or that is too long, is one unknown token. (Wu et al., "Google's Neural Machine Translation
// System", 2016, section 4.1, as BERT uses it.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace ashlar {

class WordPiece {
 public:
  // Of a token that occurs twice the last id counts.
  void Add(std::string token, int64_t id);
  void SetPrefix(std::string prefix) { prefix_ = std::move(prefix); }
  void SetMaxCharacters(size_t count) { max_characters_ = count; }

  bool empty() const { return ids_.empty(); }
  size_t size() const { return ids_.size(); }
  std::optional<int64_t> Find(std::string_view token) const;

  // Appends the ids of the word, which is UTF-8; `unknown` where it cannot be cut.
  void Split(std::string_view word, int64_t unknown, std::vector<int64_t>* ids) const;

 private:
  absl::flat_hash_map<std::string, int64_t> ids_;
  std::string prefix_ = "##";
  size_t max_characters_ = 100;
  size_t longest_ = 0;  // token, in bytes
};

}  // namespace ashlar
