// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/bert_words.h"

#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

std::u32string Clean(std::u32string_view text, const BertNormalization& how) {
  std::u32string result;
  result.reserve(text.size());
  for (char32_t c : text) {
    if (how.clean_text) {
      if (c == 0xFFFD || IsControl(c)) continue;
      if (IsWhitespace(c)) c = ' ';
    }
    if (how.split_cjk && IsCjk(c)) {
      result.append({U' ', c, U' '});
    } else {
      result.push_back(c);
    }
  }
  return result;
}

}  // namespace

absl::StatusOr<std::u32string> NormalizeForBert(std::u32string_view text,
                                                const BertNormalization& how) {
  std::u32string result = Clean(text, how);
  bool ascii = std::all_of(result.begin(), result.end(), [](char32_t c) { return c < 0x80; });
  if (!ascii && how.strip_accents.value_or(how.lowercase)) {
    ASHLAR_ASSIGN_OR_RETURN(result, Decompose(result));
    result.erase(std::remove_if(result.begin(), result.end(), IsNonspacingMark), result.end());
  }
  if (!how.lowercase) return result;
  std::u32string lower;
  lower.reserve(result.size());
  for (char32_t c : result) AppendLowercase(c, &lower);
  return lower;
}

void ForEachBertWord(std::u32string_view text, const std::function<void(std::string_view)>& take) {
  std::string word;
  auto finish = [&] {
    if (!word.empty()) take(word);
    word.clear();
  };
  for (char32_t c : text) {
    const bool alone = IsPunctuation(c), blank = IsWhitespace(c);
    if (alone || blank) finish();
    if (!blank) AppendUtf8(c, &word);
    if (alone) finish();
  }
  finish();
}

}  // namespace ashlar
