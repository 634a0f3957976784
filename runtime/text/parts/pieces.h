// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A text that is being cut into words: pieces side by side in one aligned text. Some are tokens
// already (see added_tokens.h) and are left alone by what follows.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "runtime/text/aligned_text.h"

namespace ashlar {

struct Piece {
  size_t begin = 0, end = 0;  // characters of Pieces::text
  int64_t token = -1;         // the token that it is; -1: none yet
  uint32_t origin = 0;        // the character of the original text at which it was cut out
};

struct Pieces {
  AlignedText text;
  std::vector<Piece> pieces;
};

enum class SplitBehavior {
  kRemoved,             // "a-b--c" cut at '-': a b c
  kIsolated,            // a - b - - c
  kMergedWithPrevious,  // a- b- - c
  kMergedWithNext,      // a -b - -c
  kContiguous,          // a - b -- c
};

using Range = std::pair<size_t, size_t>;
using FindMatches =
    std::function<absl::Status(std::u32string_view piece, std::vector<Range>* matches)>;

// Cuts every piece that is no token yet at its matches (or, inverted, at what is between them);
// what becomes empty goes. Matches are in order and do not overlap.
absl::Status SplitPieces(const FindMatches& find, SplitBehavior behavior, bool invert,
                         Pieces* pieces);

// Cuts at the characters for which `predicate` holds, each a match of its own.
absl::Status SplitAtCharacters(bool (*predicate)(char32_t), SplitBehavior behavior, Pieces* pieces);

// Gives every piece that is no token yet new text.
absl::Status RewritePieces(
    const std::function<absl::Status(const Piece& piece, AlignedText* text)>& rewrite,
    Pieces* pieces);

}  // namespace ashlar
