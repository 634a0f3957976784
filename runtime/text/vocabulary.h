// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens and their ids, both ways. Ids may have gaps.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/strings/string_view.h"

namespace ashlar {

class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  // Of a token that occurs twice the last id counts, of an id the last token.
  void Add(std::string token, int64_t id);

  bool empty() const { return ids_.empty(); }
  size_t size() const { return ids_.size(); }  // different tokens
  size_t longest() const { return longest_; }  // token, in bytes
  std::optional<int64_t> Find(std::string_view token) const;
  // Null where no token has the id.
  const std::string* Token(int64_t id) const;

 private:
  std::deque<std::string> storage_;  // what the map's keys view: its strings never move
  std::unordered_map<std::string_view, int64_t> ids_;
  std::unordered_map<int64_t, const std::string*> tokens_;
  size_t longest_ = 0;
};

}  // namespace ashlar
