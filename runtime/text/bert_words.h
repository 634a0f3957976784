// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// BERT's basic tokenization: text to the words that WordPiece then cuts. "Héllo, 世界" uncased
// gives hello | , | 世 | 界.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ashlar {

struct BertNormalization {
  bool clean_text = true;  // control characters, NUL and U+FFFD out, whitespace to blanks
  bool split_cjk = true;   // a blank before and after each Chinese character
  bool lowercase = true;   // character by character
  std::optional<bool> strip_accents;  // NFD without its nonspacing marks; unset: as lowercase
};

// Returns the text normalized, in the order in which the fields stand, accents before lower case.
absl::StatusOr<std::u32string> NormalizeForBert(std::u32string_view text,
                                                const BertNormalization& how);

// Calls `take` with each word of normalized text, in UTF-8: what stands between whitespace, each
// punctuation character a word of its own.
void ForEachBertWord(std::u32string_view text, const std::function<void(std::string_view)>& take);

}  // namespace ashlar
