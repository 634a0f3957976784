// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/utf8_assembler.h"

#include <cstdint>

namespace ashlar {
namespace {

struct Sequence {
  size_t bytes;    // of the character, or of the maximal part of one
  bool complete;   // a character
  bool may_go_on;  // the text ends where more bytes could complete it
};

// The bytes that may follow a first byte, after Unicode's table 3-7 (well-formed byte sequences).
Sequence Next(std::string_view bytes) {
  const auto first = static_cast<uint8_t>(bytes[0]);
  if (first < 0x80) return {1, true, false};
  if (first < 0xC2 || first > 0xF4) return {1, false, false};
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  for (size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) return {i, false, true};
    const auto byte = static_cast<uint8_t>(bytes[i]);
    uint8_t least = 0x80, most = 0xBF;
    if (i == 1 && first == 0xE0) least = 0xA0;
    if (i == 1 && first == 0xED) most = 0x9F;
    if (i == 1 && first == 0xF0) least = 0x90;
    if (i == 1 && first == 0xF4) most = 0x8F;
    if (byte < least || byte > most) return {i, false, false};
  }
  return {length, true, false};
}

}  // namespace

void Utf8Assembler::Replace(size_t bytes, std::string* text) const {
  for (size_t i = 0; i < (errors_ == Errors::kPerByte ? bytes : 1); ++i) *text += "\xEF\xBF\xBD";
}

std::string Utf8Assembler::Push(std::string_view bytes) {
  held_ += bytes;
  std::string text;
  size_t at = 0;
  while (at < held_.size()) {
    const Sequence next = Next(std::string_view(held_).substr(at));
    if (next.may_go_on) break;
    if (next.complete)
      text.append(held_, at, next.bytes);
    else
      Replace(next.bytes, &text);
    at += next.bytes;
  }
  held_.erase(0, at);
  return text;
}

std::string Utf8Assembler::Finish() {
  std::string text;
  if (!held_.empty()) Replace(held_.size(), &text);
  held_.clear();
  return text;
}

}  // namespace ashlar
