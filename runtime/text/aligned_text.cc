// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/aligned_text.h"

#include <algorithm>

#include "runtime/base/status.h"

namespace ashlar {

AlignedText AlignedText::Identity(std::u32string text) {
  AlignedText aligned;
  aligned.chars = std::move(text);
  aligned.spans.reserve(aligned.chars.size());
  for (uint32_t i = 0; i < aligned.chars.size(); ++i) aligned.spans.push_back({i, i + 1});
  return aligned;
}

void AlignedText::Append(const AlignedText& other, size_t begin, size_t end) {
  chars.append(other.chars, begin, end - begin);
  spans.insert(spans.end(), other.spans.begin() + static_cast<std::ptrdiff_t>(begin),
               other.spans.begin() + static_cast<std::ptrdiff_t>(end));
}

AlignedText AlignedText::Slice(size_t begin, size_t end) const {
  AlignedText slice;
  slice.Append(*this, begin, end);
  return slice;
}

void AlignedText::Prepend(std::u32string_view text) {
  if (empty()) return;
  spans.insert(spans.begin(), text.size(), Span(spans.front()));
  chars.insert(0, text);
}

absl::Status CheckNormalizedSize(size_t characters) {
  if (characters <= kMaxNormalizedCharacters) return absl::OkStatus();
  return ResourceExhausted("normalization made ", characters, " characters of the text; at most ",
                           kMaxNormalizedCharacters, " are taken, cut it into pieces");
}

void TextRewriter::Put(char32_t c, int change) {
  Span span;
  if (change > 0) {
    if (next_ > 0) span = from_.spans[std::min(next_, from_.size()) - 1];
  } else if (next_ < from_.size()) {
    span = from_.spans[next_];
  } else if (!from_.empty()) {
    span = from_.spans.back();
  }
  if (change <= 0) next_ += 1 + static_cast<size_t>(-change);
  to_.Append(c, span);
}

}  // namespace ashlar
