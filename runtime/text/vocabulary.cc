// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/vocabulary.h"

#include <algorithm>

namespace ashlar {

void Vocabulary::Add(std::string token, int64_t id) {
  longest_ = std::max(longest_, token.size());
  const std::string& stored = storage_.emplace_back(std::move(token));
  ids_[stored] = id;
  tokens_[id] = &stored;
}

std::optional<int64_t> Vocabulary::Find(std::string_view token) const {
  auto it = ids_.find(token);
  if (it == ids_.end()) return std::nullopt;
  return it->second;
}

const std::string* Vocabulary::Token(int64_t id) const {
  auto it = tokens_.find(id);
  return it == tokens_.end() ? nullptr : it->second;
}

}  // namespace ashlar
