// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A text on its way through the parts of a tokenizer: its characters now, and for each of them the
// characters of the original that it came from. What a part changes keeps that alignment, so that
// tokens know their place in the original whatever normalization did to it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace ashlar {

// Characters [begin, end) of the original text.
struct Span {
  uint32_t begin = 0, end = 0;
  friend bool operator==(const Span& a, const Span& b) {
    return a.begin == b.begin && a.end == b.end;
  }
};

struct AlignedText {
  std::u32string chars;
  std::vector<Span> spans;  // one for each character

  // Every character aligned to itself.
  static AlignedText Identity(std::u32string text);

  size_t size() const { return chars.size(); }
  bool empty() const { return chars.empty(); }
  void Append(char32_t c, Span span) {
    chars.push_back(c);
    spans.push_back(span);
  }
  void Append(const AlignedText& other, size_t begin, size_t end);
  AlignedText Slice(size_t begin, size_t end) const;
  // Puts `text` before the first character, whose place it shares. An empty text stays empty.
  void Prepend(std::u32string_view text);
};

// Normalizers multiply a text at most up to this many characters; beyond it is ResourceExhausted.
constexpr size_t kMaxNormalizedCharacters = size_t{128} << 20;
absl::Status CheckNormalizedSize(size_t characters);

// Writes a new version of a text character by character, in the published terms of alignment:
// `change` 0 replaces the next old character, -n replaces it and drops n more, a positive one
// inserts a character that shares the place of the old one before it.
class TextRewriter {
 public:
  explicit TextRewriter(const AlignedText& from) : from_(from) {}
  void Put(char32_t c, int change);
  AlignedText Take() { return std::move(to_); }

 private:
  const AlignedText& from_;
  AlignedText to_;
  size_t next_ = 0;
};

}  // namespace ashlar
