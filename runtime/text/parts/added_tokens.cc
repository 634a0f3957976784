// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/added_tokens.h"

#include <algorithm>

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {

absl::StatusOr<AddedToken> AddedToken::Read(const JsonField& field, int64_t id) {
  AddedToken token;
  token.id = id;
  ASHLAR_ASSIGN_OR_RETURN(token.content, field["content"].String());
  const std::pair<const char*, bool*> flags[] = {{"special", &token.special},
                                                 {"normalized", &token.normalized},
                                                 {"single_word", &token.single_word},
                                                 {"lstrip", &token.lstrip},
                                                 {"rstrip", &token.rstrip}};
  for (const auto& [name, flag] : flags) {
    ASHLAR_ASSIGN_OR_RETURN(*flag, field[name].BoolOr(false));
  }
  return token;
}

void AddedTokens::Add(std::u32string_view text, const AddedToken& token) {
  if (text.empty()) return;
  uint32_t node = 0;
  for (char32_t c : text) {
    auto [it, is_new] =
        children_.try_emplace(uint64_t{node} << 21 | c, static_cast<uint32_t>(nodes_.size()));
    node = it->second;
    if (is_new) nodes_.emplace_back();
  }
  if (nodes_[node].token >= 0) return;
  nodes_[node] = {static_cast<int32_t>(tokens_.size()), text.size()};
  tokens_.push_back(token);
}

AddedTokens::Node AddedTokens::Longest(std::u32string_view text) const {
  Node longest;
  uint32_t node = 0;
  for (char32_t c : text) {
    auto it = children_.find(uint64_t{node} << 21 | c);
    if (it == children_.end()) break;
    node = it->second;
    if (nodes_[node].token >= 0) longest = nodes_[node];
  }
  return longest;
}

std::vector<AddedTokens::Part> AddedTokens::Split(std::u32string_view text) const {
  std::vector<Part> parts;
  size_t done = 0;
  for (size_t i = 0; i < text.size() && !tokens_.empty();) {
    const Node found = Longest(text.substr(i));
    if (found.length == 0) {
      ++i;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(found.token)];
    size_t begin = i, end = i + found.length;
    i = end;
    const bool inside_word = (begin > 0 && IsWordCharacter(text[begin - 1])) ||
                             (end < text.size() && IsWordCharacter(text[end]));
    if (token.single_word && inside_word) continue;
    while (token.lstrip && begin > done && IsWhitespace(text[begin - 1])) --begin;
    while (token.rstrip && end < text.size() && IsWhitespace(text[end])) ++end;
    if (done < begin) parts.push_back({done, begin, -1});
    parts.push_back({begin, end, token.id});
    done = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), -1});
  return parts;
}

}  // namespace ashlar
