// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/pieces.h"

#include <algorithm>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

struct Cut {
  size_t begin, end;
  bool match;
};

// The whole of a text as matches and what is between them.
std::vector<Cut> Cover(const std::vector<Range>& matches, size_t size, bool invert) {
  std::vector<Cut> cuts;
  size_t done = 0;
  for (const auto& [begin, end] : matches) {
    if (done < begin) cuts.push_back({done, begin, invert});
    cuts.push_back({begin, end, !invert});
    done = end;
  }
  if (done < size) cuts.push_back({done, size, invert});
  return cuts;
}

// Joins each match that follows no match to its neighbour before.
void MergeIntoPrevious(std::vector<Cut>* cuts) {
  std::vector<Cut> merged;
  bool after_match = false;
  for (const Cut& cut : *cuts) {
    if (cut.match && !after_match && !merged.empty())
      merged.back().end = cut.end;
    else
      merged.push_back(cut);
    after_match = cut.match;
  }
  *cuts = std::move(merged);
}

void MergeIntoNext(std::vector<Cut>* cuts) {
  std::vector<Cut> merged;  // from the end
  bool before_match = false;
  for (auto cut = cuts->rbegin(); cut != cuts->rend(); ++cut) {
    if (cut->match && !before_match && !merged.empty())
      merged.back().begin = cut->begin;
    else
      merged.push_back(*cut);
    before_match = cut->match;
  }
  std::reverse(merged.begin(), merged.end());
  *cuts = std::move(merged);
}

void MergeEqual(std::vector<Cut>* cuts) {
  std::vector<Cut> merged;
  for (const Cut& cut : *cuts) {
    if (!merged.empty() && merged.back().match == cut.match)
      merged.back().end = cut.end;
    else
      merged.push_back(cut);
  }
  *cuts = std::move(merged);
}

void Arrange(SplitBehavior behavior, std::vector<Cut>* cuts) {
  switch (behavior) {
    case SplitBehavior::kRemoved:
      cuts->erase(std::remove_if(cuts->begin(), cuts->end(), [](Cut& cut) { return cut.match; }),
                  cuts->end());
      return;
    case SplitBehavior::kIsolated:
      return;
    case SplitBehavior::kMergedWithPrevious:
      return MergeIntoPrevious(cuts);
    case SplitBehavior::kMergedWithNext:
      return MergeIntoNext(cuts);
    case SplitBehavior::kContiguous:
      return MergeEqual(cuts);
  }
}

}  // namespace

absl::Status SplitPieces(const FindMatches& find, SplitBehavior behavior, bool invert,
                         Pieces* pieces) {
  std::vector<Piece> result;
  std::vector<Range> matches;
  for (const Piece& piece : pieces->pieces) {
    if (piece.token >= 0) {
      result.push_back(piece);
      continue;
    }
    const size_t size = piece.end - piece.begin;
    matches.clear();
    ASHLAR_RETURN_IF_ERROR(
        find(std::u32string_view(pieces->text.chars).substr(piece.begin, size), &matches));
    std::vector<Cut> cuts = Cover(matches, size, invert);
    Arrange(behavior, &cuts);
    for (const Cut& cut : cuts) {
      if (cut.begin == cut.end) continue;
      const size_t begin = piece.begin + cut.begin;
      result.push_back({begin, piece.begin + cut.end, -1, pieces->text.spans[begin].begin});
    }
  }
  pieces->pieces = std::move(result);
  return absl::OkStatus();
}

absl::Status SplitAtCharacters(bool (*predicate)(char32_t), SplitBehavior behavior,
                               Pieces* pieces) {
  auto find = [&](std::u32string_view text, std::vector<Range>* matches) {
    for (size_t i = 0; i < text.size(); ++i)
      if (predicate(text[i])) matches->emplace_back(i, i + 1);
    return absl::OkStatus();
  };
  return SplitPieces(find, behavior, /*invert=*/false, pieces);
}

absl::Status RewritePieces(
    const std::function<absl::Status(const Piece& piece, AlignedText* text)>& rewrite,
    Pieces* pieces) {
  AlignedText text;
  text.chars.reserve(pieces->text.size());
  text.spans.reserve(pieces->text.size());
  for (Piece& piece : pieces->pieces) {
    const size_t begin = text.size();
    if (piece.token >= 0) {
      text.Append(pieces->text, piece.begin, piece.end);
    } else {
      AlignedText part = pieces->text.Slice(piece.begin, piece.end);
      ASHLAR_RETURN_IF_ERROR(rewrite(piece, &part));
      text.Append(part, 0, part.size());
    }
    ASHLAR_RETURN_IF_ERROR(CheckNormalizedSize(text.size()));
    piece.begin = begin;
    piece.end = text.size();
  }
  pieces->text = std::move(text);
  return absl::OkStatus();
}

}  // namespace ashlar
