// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/bert_files.h"

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/text/json_field.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

constexpr uint64_t kMaxVocabularyBytes = 64 << 20;

// One token per line, its number the id. Lines end as in Python's text files.
absl::Status ReadVocabulary(const std::string& path, BertTokenizerFiles* files) {
  ASHLAR_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxVocabularyBytes));
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find_first_of("\r\n", begin);
    if (end == std::string::npos) end = text.size();
    std::string token = text.substr(begin, end - begin);
    int64_t id = static_cast<int64_t>(files->vocabulary.size());
    if (!IsUtf8(token))
      return DataLoss(path, ": line ", id + 1, ": not UTF-8: '", Printable(token), "'");
    files->vocabulary.emplace_back(std::move(token), id);
    begin = end + (text.compare(end, 2, "\r\n") == 0 ? 2 : 1);
  }
  return absl::OkStatus();
}

absl::Status ReadNormalizer(const JsonField& field, BertNormalization* how) {
  if (!field["type"].Is("BertNormalizer")) return field["type"].Expected("\"BertNormalizer\"");
  ASHLAR_RETURN_IF_ERROR(field.CheckObject(
      {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}));
  ASHLAR_ASSIGN_OR_RETURN(how->clean_text, field["clean_text"].Bool());
  ASHLAR_ASSIGN_OR_RETURN(how->split_cjk, field["handle_chinese_chars"].Bool());
  ASHLAR_ASSIGN_OR_RETURN(how->lowercase, field["lowercase"].Bool());
  if (!field["strip_accents"].present()) return absl::OkStatus();
  ASHLAR_ASSIGN_OR_RETURN(how->strip_accents, field["strip_accents"].Bool());
  return absl::OkStatus();
}

absl::Status ReadModel(const JsonField& field, BertTokenizerFiles* files) {
  if (!field["type"].Is("WordPiece")) return field["type"].Expected("\"WordPiece\"");
  ASHLAR_RETURN_IF_ERROR(field.CheckObject(
      {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"}));
  ASHLAR_ASSIGN_OR_RETURN(files->unknown, field["unk_token"].String());
  ASHLAR_ASSIGN_OR_RETURN(files->prefix, field["continuing_subword_prefix"].String());
  ASHLAR_ASSIGN_OR_RETURN(files->max_characters, field["max_input_chars_per_word"].Index());
  JsonField vocabulary = field["vocab"];
  if (!vocabulary.value() || !vocabulary.value()->is_object())
    return vocabulary.Expected("an object");
  for (const auto& member : vocabulary.value()->items()) {
    const nlohmann::json& id = member.value();
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      return vocabulary[Printable(member.key())].Expected("an integer in 0..2147483647");
    files->vocabulary.emplace_back(member.key(), id.get<int64_t>());
  }
  return absl::OkStatus();
}

absl::Status ReadAddedToken(const JsonField& field, int64_t id, BertTokenizerFiles* files) {
  BertTokenizerFiles::AddedToken token;
  token.id = id;
  ASHLAR_ASSIGN_OR_RETURN(token.content, field["content"].String());
  ASHLAR_ASSIGN_OR_RETURN(token.normalized, field["normalized"].BoolOr(false));
  for (const char* name : {"single_word", "lstrip", "rstrip"}) {
    ASHLAR_ASSIGN_OR_RETURN(bool set, field[name].BoolOr(false));
    if (set) return field[name].Unsupported("true is not supported");
  }
  files->added_tokens.push_back(std::move(token));
  return absl::OkStatus();
}

// An item of TemplateProcessing's lists: a special token's name, or "" for the text `sequence`.
absl::Status ReadTemplateItem(const JsonField& item, const char* sequence, int64_t type,
                              std::string* token) {
  JsonField value = sequence ? item["Sequence"] : item["SpecialToken"];
  std::string expected = sequence ? StrCat("the text ", sequence, " of type ", type)
                                  : StrCat("a special token of type ", type);
  ASHLAR_ASSIGN_OR_RETURN(std::string id, value["id"].StringOr(""));
  ASHLAR_ASSIGN_OR_RETURN(int64_t found, value["type_id"].Index());
  if (id.empty() || found != type || (sequence && id != sequence))
    return item.Expected(expected + " (BERT's [CLS] A [SEP] B [SEP])");
  if (!sequence) *token = id;
  return absl::OkStatus();
}

absl::Status ReadPostProcessor(const JsonField& field, BertTokenizerFiles* files) {
  if (field["type"].Is("BertProcessing")) {
    ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "sep", "cls"}));
    ASHLAR_ASSIGN_OR_RETURN(files->separate, field["sep"].At(0).String());
    ASHLAR_ASSIGN_OR_RETURN(files->classify, field["cls"].At(0).String());
    return absl::OkStatus();
  }
  if (!field["type"].Is("TemplateProcessing"))
    return field["type"].Expected("\"TemplateProcessing\" or \"BertProcessing\"");
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "single", "pair", "special_tokens"}));
  JsonField single = field["single"], pair = field["pair"];
  if (single.size() != 3) return single.Expected("BERT's [CLS] A [SEP]");
  if (pair.size() != 5) return pair.Expected("BERT's [CLS] A [SEP] B [SEP]");
  std::string end[3];
  ASHLAR_RETURN_IF_ERROR(ReadTemplateItem(single.At(0), nullptr, 0, &files->classify));
  ASHLAR_RETURN_IF_ERROR(ReadTemplateItem(single.At(1), "A", 0, nullptr));
  ASHLAR_RETURN_IF_ERROR(ReadTemplateItem(single.At(2), nullptr, 0, &files->separate));
  ASHLAR_RETURN_IF_ERROR(ReadTemplateItem(pair.At(0), nullptr, 0, &end[0]));
  ASHLAR_RETURN_IF_ERROR(ReadTemplateItem(pair.At(1), "A", 0, nullptr));
  ASHLAR_RETURN_IF_ERROR(ReadTemplateItem(pair.At(2), nullptr, 0, &end[1]));
  ASHLAR_RETURN_IF_ERROR(ReadTemplateItem(pair.At(3), "B", 1, nullptr));
  ASHLAR_RETURN_IF_ERROR(ReadTemplateItem(pair.At(4), nullptr, 1, &end[2]));
  if (end[0] != files->classify || end[1] != files->separate || end[2] != files->separate)
    return pair.Unsupported("special tokens other than those of post_processor.single");
  return absl::OkStatus();
}

absl::Status ReadTokenizerJson(const std::string& path, BertTokenizerFiles* files) {
  ASHLAR_ASSIGN_OR_RETURN(JsonField root, JsonField::ReadFile(path));
  ASHLAR_RETURN_IF_ERROR(ReadModel(root["model"], files));
  ASHLAR_RETURN_IF_ERROR(
      root.CheckObject({"version", "truncation", "padding", "added_tokens", "normalizer",
                        "pre_tokenizer", "post_processor", "decoder", "model"}));
  ASHLAR_RETURN_IF_ERROR(ReadNormalizer(root["normalizer"], &files->normalization));
  JsonField splitter = root["pre_tokenizer"]["type"];
  if (!splitter.Is("BertPreTokenizer")) return splitter.Expected("\"BertPreTokenizer\"");
  ASHLAR_RETURN_IF_ERROR(ReadPostProcessor(root["post_processor"], files));
  ASHLAR_ASSIGN_OR_RETURN(files->pad, root["padding"]["pad_token"].StringOr(files->pad));
  JsonField added = root["added_tokens"];
  if (added.present()) ASHLAR_RETURN_IF_ERROR(added.CheckArray());
  for (size_t i = 0; i < added.size(); ++i) {
    ASHLAR_ASSIGN_OR_RETURN(int64_t id, added.At(i)["id"].Index());
    ASHLAR_RETURN_IF_ERROR(ReadAddedToken(added.At(i), id, files));
  }
  return absl::OkStatus();
}

// A special token is written as a string or as an object with `content`.
absl::Status ReadSpecialToken(const JsonField& field, std::string* token) {
  if (!field.present()) return absl::OkStatus();
  ASHLAR_ASSIGN_OR_RETURN(*token,
                          field["content"].present() ? field["content"].String() : field.String());
  return absl::OkStatus();
}

absl::Status ReadConfig(const std::string& path, BertTokenizerFiles* files) {
  ASHLAR_ASSIGN_OR_RETURN(JsonField root, JsonField::ReadFile(path));
  BertNormalization& how = files->normalization;
  ASHLAR_ASSIGN_OR_RETURN(how.lowercase, root["do_lower_case"].BoolOr(how.lowercase));
  ASHLAR_ASSIGN_OR_RETURN(how.split_cjk, root["tokenize_chinese_chars"].BoolOr(how.split_cjk));
  if (root["strip_accents"].present()) {
    ASHLAR_ASSIGN_OR_RETURN(how.strip_accents, root["strip_accents"].Bool());
  }
  ASHLAR_ASSIGN_OR_RETURN(bool words, root["do_basic_tokenize"].BoolOr(true));
  if (!words) return root["do_basic_tokenize"].Unsupported("false is not supported");
  if (root["never_split"].size() > 0)
    return root["never_split"].Unsupported("words that are never split are not supported");
  ASHLAR_RETURN_IF_ERROR(ReadSpecialToken(root["unk_token"], &files->unknown));
  ASHLAR_RETURN_IF_ERROR(ReadSpecialToken(root["cls_token"], &files->classify));
  ASHLAR_RETURN_IF_ERROR(ReadSpecialToken(root["sep_token"], &files->separate));
  ASHLAR_RETURN_IF_ERROR(ReadSpecialToken(root["pad_token"], &files->pad));
  ASHLAR_RETURN_IF_ERROR(ReadSpecialToken(root["mask_token"], &files->mask));
  JsonField added = root["added_tokens_decoder"];
  if (!files->added_tokens.empty() || !added.present()) return absl::OkStatus();
  if (!added.value()->is_object()) return added.Expected("an object");
  for (const auto& member : added.value()->items()) {
    JsonField token = added[member.key()];
    nlohmann::json id = nlohmann::json::parse(member.key(), nullptr, false);
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      return token.Unsupported("the key is no token's id");
    ASHLAR_RETURN_IF_ERROR(ReadAddedToken(token, id.get<int64_t>(), files));
  }
  return absl::OkStatus();
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

absl::StatusOr<BertTokenizerFiles> ReadBertTokenizerFiles(const std::string& path) {
  BertTokenizerFiles files;
  files.path = path;
  const bool directory = IsDirectory(path);
  if (directory) {
    files.path = path + "/tokenizer.json";
    if (!IsRegularFile(files.path)) files.path = path + "/vocab.txt";
    if (!IsRegularFile(files.path))
      return NotFound(path, ": expected a tokenizer.json or vocab.txt in this directory");
  }
  if (EndsWith(files.path, ".json")) {
    ASHLAR_RETURN_IF_ERROR(ReadTokenizerJson(files.path, &files));
  } else {
    ASHLAR_RETURN_IF_ERROR(ReadVocabulary(files.path, &files));
  }
  const std::string config = path + "/tokenizer_config.json";
  if (directory && IsRegularFile(config)) ASHLAR_RETURN_IF_ERROR(ReadConfig(config, &files));
  return files;
}

}  // namespace ashlar
