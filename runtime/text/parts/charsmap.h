// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SentencePiece's precompiled character map ("nmt_nfkc" and the like): a trie from byte strings to
// what they become. The bytes, little-endian: the size of the trie in bytes, the trie as the double
// array of Darts-clone (32-bit units: leaf flag, label, offset), then strings that end with NUL, at
// the places that the trie's leaves hold. Nothing in it is trusted.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/aligned_text.h"

namespace ashlar {

class Charsmap {
 public:
  // An empty one maps nothing. DataLoss where sizes do not fit.
  static absl::StatusOr<Charsmap> FromBytes(std::string_view bytes);
  static absl::StatusOr<Charsmap> FromBase64(std::string_view text);

  struct Match {
    size_t bytes = 0;              // of the input
    std::string_view replacement;  // UTF-8; lives as long as the map
  };
  // The shortest or the longest entry that `text` begins with.
  std::optional<Match> Shortest(std::string_view text) const { return Search(text, true); }
  std::optional<Match> Longest(std::string_view text) const { return Search(text, false); }

 private:
  std::optional<Match> Search(std::string_view text, bool first) const;

  std::vector<uint32_t> units_;
  std::string strings_;
};

// As the `tokenizers` library applies a map: graphemes of fewer than 6 bytes are replaced whole by
// what the shortest entry that they begin with says, else character by character. (SentencePiece
// itself takes the longest entry at each place, and knows no graphemes.)
absl::Status ReplaceGraphemes(const Charsmap& map, AlignedText* text);

}  // namespace ashlar
