// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens that are found in a text before anything else cuts it, such as "[SEP]" written out: at
// each place the longest one, from left to right.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace ashlar {

class AddedTokens {
 public:
  struct Part {
    std::u32string_view text;
    int64_t id = -1;  // of the token that the text is; -1: of none
  };

  // An empty token is never found.
  void Add(const std::u32string& token, int64_t id);

  // Cuts `text` into tokens and what is between them, which is never empty.
  std::vector<Part> Split(std::u32string_view text) const;

 private:
  absl::flat_hash_map<std::u32string, int64_t> ids_;
  // The lengths of the tokens that begin with a character, the greatest first.
  absl::flat_hash_map<char32_t, std::vector<size_t>> lengths_;
};

}  // namespace ashlar
