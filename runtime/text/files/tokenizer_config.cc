// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/files/tokenizer_config.h"

#include <algorithm>
#include <unordered_map>

#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

// A special token is written as a string or as an object with `content` and flags.
absl::StatusOr<AddedToken> ReadSpecialToken(const JsonField& field) {
  AddedToken token;
  if (field["content"].present()) {
    ASHLAR_ASSIGN_OR_RETURN(token, AddedToken::Read(field, 0));
    token.normalized = false;
  } else {
    ASHLAR_ASSIGN_OR_RETURN(token.content, field.String());
  }
  token.special = true;
  return token;
}

absl::Status ReadRoles(const JsonField& root, TokenizerConfig* config) {
  for (const char* role : {"unk_token", "bos_token", "eos_token", "cls_token", "sep_token",
                           "pad_token", "mask_token"}) {
    if (!root[role].present()) continue;
    ASHLAR_ASSIGN_OR_RETURN(config->roles[role], ReadSpecialToken(root[role]));
  }
  JsonField more = root["additional_special_tokens"];
  if (more.present()) ASHLAR_RETURN_IF_ERROR(more.CheckArray());
  for (size_t i = 0; i < more.size(); ++i) {
    ASHLAR_ASSIGN_OR_RETURN(AddedToken token, ReadSpecialToken(more.At(i)));
    config->additional.push_back(std::move(token));
  }
  return absl::OkStatus();
}

absl::Status ReadFlag(const JsonField& field, std::optional<bool>* flag) {
  if (!field.present()) return absl::OkStatus();
  ASHLAR_ASSIGN_OR_RETURN(*flag, field.Bool());
  return absl::OkStatus();
}

// {"<id>": {"content": ...}, ...}
absl::Status ReadAddedTokensDecoder(const JsonField& field, TokenizerConfig* config) {
  if (!field.present()) return absl::OkStatus();
  if (!field.value()->is_object()) return field.Expected("an object");
  for (const auto& member : field.value()->items()) {
    JsonField token = field[member.key()];
    nlohmann::json id = nlohmann::json::parse(member.key(), nullptr, false);
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      return token.Unsupported("the key is no token's id");
    ASHLAR_ASSIGN_OR_RETURN(AddedToken read, AddedToken::Read(token, id.get<int64_t>()));
    config->added.push_back(std::move(read));
  }
  return absl::OkStatus();
}

absl::Status ReadConfig(const JsonField& root, TokenizerConfig* config) {
  ASHLAR_ASSIGN_OR_RETURN(config->tokenizer_class, root["tokenizer_class"].StringOr(""));
  std::string& name = config->tokenizer_class;
  if (name.size() > 4 && name.compare(name.size() - 4, 4, "Fast") == 0)
    name.resize(name.size() - 4);
  const std::pair<const char*, std::optional<bool>*> flags[] = {
      {"do_lower_case", &config->lowercase},     {"tokenize_chinese_chars", &config->split_cjk},
      {"strip_accents", &config->strip_accents}, {"add_prefix_space", &config->add_prefix_space},
      {"add_bos_token", &config->add_bos_token}, {"add_eos_token", &config->add_eos_token}};
  for (const auto& [flag, value] : flags) ASHLAR_RETURN_IF_ERROR(ReadFlag(root[flag], value));
  ASHLAR_ASSIGN_OR_RETURN(bool words, root["do_basic_tokenize"].BoolOr(true));
  if (!words) return root["do_basic_tokenize"].Unsupported("false is not supported");
  if (root["never_split"].size() > 0)
    return root["never_split"].Unsupported("words that are never split are not supported");
  ASHLAR_ASSIGN_OR_RETURN(config->extra_ids, root["extra_ids"].IndexOr(100));
  ASHLAR_RETURN_IF_ERROR(ReadRoles(root, config));
  return ReadAddedTokensDecoder(root["added_tokens_decoder"], config);
}

// {"<content>": id, ...}: tokens, in no order, without flags.
absl::Status ReadAddedTokens(const JsonField& root, TokenizerConfig* config) {
  for (const auto& member : root.value()->items()) {
    AddedToken token;
    token.content = member.key();
    ASHLAR_ASSIGN_OR_RETURN(token.id, root[member.key()].Index());
    config->added.push_back(std::move(token));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerConfig> TokenizerConfig::Read(const std::string& directory) {
  TokenizerConfig config;
  // The first to name a token counts.
  struct {
    const char* name;
    absl::Status (*read)(const JsonField&, TokenizerConfig*);
  } const files[] = {{"special_tokens_map.json", ReadRoles},
                     {"tokenizer_config.json", ReadConfig},
                     {"added_tokens.json", ReadAddedTokens}};
  for (const auto& [name, read] : files) {
    const std::string path = StrCat(directory, "/", name);
    if (!IsRegularFile(path)) continue;
    ASHLAR_ASSIGN_OR_RETURN(JsonField root, JsonField::ReadFile(path));
    ASHLAR_RETURN_IF_ERROR(read(root, &config));
  }
  return config;
}

void TokenizerConfig::Overrule(BertNormalization* how) const {
  how->lowercase = lowercase.value_or(how->lowercase);
  how->split_cjk = split_cjk.value_or(how->split_cjk);
  if (strip_accents) how->strip_accents = strip_accents;
}

std::string TokenizerConfig::Role(const std::string& role, const std::string& otherwise) const {
  auto it = roles.find(role);
  return it == roles.end() ? otherwise : it->second.content;
}

void TokenizerConfig::AppendTo(const Vocabulary& vocabulary,
                               std::vector<AddedToken>* tokens) const {
  std::unordered_map<std::string, int64_t> known;
  for (const AddedToken& token : *tokens)
    if (token.searched) known.emplace(token.content, token.id);
  std::vector<AddedToken> named = additional;
  for (const auto& [role, token] : roles) named.push_back(token);
  auto is_named = [&](const AddedToken& token) {
    return std::any_of(named.begin(), named.end(),
                       [&](const AddedToken& name) { return name.content == token.content; });
  };
  for (AddedToken token : added) {
    token.special |= is_named(token);
    if (known.emplace(token.content, token.id).second) tokens->push_back(token);
  }
  for (AddedToken& token : named) {
    std::optional<int64_t> id = vocabulary.Find(token.content);
    if (!id || !known.emplace(token.content, *id).second) continue;
    token.id = *id;
    tokens->push_back(token);
  }
}

}  // namespace ashlar
