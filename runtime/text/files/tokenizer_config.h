// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What stands beside a vocabulary: tokenizer_config.json, special_tokens_map.json and
// added_tokens.json. Fields that say nothing about the ids of a text are passed over.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/parts/added_tokens.h"
#include "runtime/text/parts/bert_normalizer.h"
#include "runtime/text/vocabulary.h"

namespace ashlar {

struct TokenizerConfig {
  std::string tokenizer_class;  // without "Fast" at its end
  // The tokens of "cls_token", "pad_token", ... by these names; what a role is not given to is not
  // here. Ids are not known.
  std::map<std::string, AddedToken> roles;
  std::vector<AddedToken> additional;  // additional_special_tokens, ids not known
  std::vector<AddedToken> added;       // added_tokens_decoder, added_tokens.json
  std::optional<bool> lowercase, split_cjk, strip_accents;  // overrule a BertNormalizer
  std::optional<bool> add_prefix_space, add_bos_token, add_eos_token;
  int64_t extra_ids = 100;  // T5's

  static absl::StatusOr<TokenizerConfig> Read(const std::string& directory);

  void Overrule(BertNormalization* how) const;
  // The content of a role's token, or `otherwise`.
  std::string Role(const std::string& role, const std::string& otherwise) const;
  // Adds `added`, and roles and additional ones with the ids that `vocabulary` or `added` has for
  // them, as special tokens: those that have none are no tokens. What `tokens` has stays.
  void AppendTo(const Vocabulary& vocabulary, std::vector<AddedToken>* tokens) const;
};

}  // namespace ashlar
