// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytes to UTF-8 as they come: complete characters at once, the beginning of one held back until
// the rest is there.
#pragma once

#include <string>
#include <string_view>

namespace ashlar {

class Utf8Assembler {
 public:
  enum class Errors {
    kPerPart,  // U+FFFD for each maximal part that is not UTF-8, as Unicode recommends
    kPerByte,  // U+FFFD for each byte that is part of no character
  };
  explicit Utf8Assembler(Errors errors) : errors_(errors) {}

  // Returns what has become complete.
  std::string Push(std::string_view bytes);
  // Returns U+FFFD for what was held back, or nothing.
  std::string Finish();
  bool empty() const { return held_.empty(); }

 private:
  void Replace(size_t bytes, std::string* text) const;

  Errors errors_;
  std::string held_;  // at most 3 bytes between calls
};

}  // namespace ashlar
