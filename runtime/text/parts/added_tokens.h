// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens that are found in a text before anything else cuts it, such as "[SEP]" written out: at
// each place the longest one, from left to right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/json_field.h"

namespace ashlar {

struct AddedToken {
  std::string content;
  int64_t id = 0;
  bool special = false;  // left out when a text is decoded, if the caller wishes
  bool normalized =
      false;  // found in the normalized text, and normalized itself, when decoding too
  bool single_word = false;  // only where no word goes on before or after it
  bool lstrip = false;       // takes the whitespace before it in
  bool rstrip = false;       // takes the whitespace after it in
  bool searched = true;      // false: known when decoding, but never found in a text

  // Reads `content` and the flags; the id stands elsewhere in the older files.
  static absl::StatusOr<AddedToken> Read(const JsonField& field, int64_t id);
};

class AddedTokens {
 public:
  struct Part {
    size_t begin = 0, end = 0;  // characters of the text, whitespace that was taken in included
    int64_t id = -1;            // of the token that the part is; -1: of none
  };

  // Of a text that is added twice the first counts. An empty one is never found.
  void Add(std::u32string_view text, const AddedToken& token);

  // Cuts `text` into tokens and what is between them, which is never empty.
  std::vector<Part> Split(std::u32string_view text) const;

 private:
  struct Node {
    int32_t token = -1;  // that ends here
    size_t length = 0;
  };
  // The longest token that the text begins with; length 0: none.
  Node Longest(std::u32string_view text) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<uint64_t, uint32_t> children_;  // node << 21 | character -> node
  std::vector<Node> nodes_ = std::vector<Node>(1);
};

}  // namespace ashlar
