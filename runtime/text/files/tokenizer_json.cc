// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/files/tokenizer_json.h"

#include "runtime/base/status.h"

namespace ashlar {
namespace {

absl::StatusOr<Side> ReadSide(const JsonField& field) {
  if (!field.present() || field.Is("Right")) return Side::kRight;
  if (field.Is("Left")) return Side::kLeft;
  return field.Expected("\"Left\" or \"Right\"");
}

absl::StatusOr<std::optional<Truncation>> ReadTruncation(const JsonField& field) {
  std::optional<Truncation> result;
  if (!field.present()) return result;
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"direction", "max_length", "strategy", "stride"}));
  Truncation truncation;
  ASHLAR_ASSIGN_OR_RETURN(truncation.max_length, field["max_length"].Index());
  ASHLAR_ASSIGN_OR_RETURN(truncation.side, ReadSide(field["direction"]));
  ASHLAR_ASSIGN_OR_RETURN(truncation.stride, field["stride"].IndexOr(0));
  JsonField strategy = field["strategy"];
  if (strategy.Is("OnlyFirst"))
    truncation.strategy = Truncation::Strategy::kOnlyFirst;
  else if (strategy.Is("OnlySecond"))
    truncation.strategy = Truncation::Strategy::kOnlySecond;
  else if (strategy.present() && !strategy.Is("LongestFirst"))
    return strategy.Expected("\"LongestFirst\", \"OnlyFirst\" or \"OnlySecond\"");
  result = truncation;
  return result;
}

absl::StatusOr<std::optional<Padding>> ReadPadding(const JsonField& field) {
  std::optional<Padding> result;
  if (!field.present()) return result;
  ASHLAR_RETURN_IF_ERROR(field.CheckObject(
      {"strategy", "direction", "pad_to_multiple_of", "pad_id", "pad_type_id", "pad_token"}));
  Padding padding;
  JsonField strategy = field["strategy"];
  if (strategy["Fixed"].present()) {
    ASHLAR_ASSIGN_OR_RETURN(padding.fixed_length, strategy["Fixed"].Index());
  } else if (strategy.present() && !strategy.Is("BatchLongest")) {
    return strategy.Expected("\"BatchLongest\" or {\"Fixed\": length}");
  }
  ASHLAR_ASSIGN_OR_RETURN(padding.side, ReadSide(field["direction"]));
  ASHLAR_ASSIGN_OR_RETURN(padding.multiple_of, field["pad_to_multiple_of"].IndexOr(1));
  ASHLAR_ASSIGN_OR_RETURN(padding.id, field["pad_id"].IndexOr(0));
  ASHLAR_ASSIGN_OR_RETURN(padding.type_id, field["pad_type_id"].IndexOr(0));
  ASHLAR_ASSIGN_OR_RETURN(padding.token, field["pad_token"].StringOr("[PAD]"));
  result = padding;
  return result;
}

absl::Status ReadAddedTokens(const JsonField& list, std::vector<AddedToken>* tokens) {
  if (list.present()) ASHLAR_RETURN_IF_ERROR(list.CheckArray());
  for (size_t i = 0; i < list.size(); ++i) {
    ASHLAR_ASSIGN_OR_RETURN(int64_t id, list.At(i)["id"].Index());
    ASHLAR_ASSIGN_OR_RETURN(AddedToken token, AddedToken::Read(list.At(i), id));
    tokens->push_back(std::move(token));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerParts> ReadTokenizerJson(const std::string& path,
                                                 const TokenizerConfig& config) {
  ASHLAR_ASSIGN_OR_RETURN(JsonField root, JsonField::ReadFile(path));
  TokenizerParts parts;
  parts.path = path;
  ASHLAR_ASSIGN_OR_RETURN(parts.model, ReadModel(root["model"]));
  ASHLAR_RETURN_IF_ERROR(
      root.CheckObject({"version", "truncation", "padding", "added_tokens", "normalizer",
                        "pre_tokenizer", "post_processor", "decoder", "model"}));
  JsonField normalizer = root["normalizer"];
  if (normalizer["type"].Is("BertNormalizer")) {
    ASHLAR_ASSIGN_OR_RETURN(BertNormalization how, BertNormalizer::Read(normalizer));
    config.Overrule(&how);
    parts.normalizer = std::make_unique<BertNormalizer>(how);
  } else {
    ASHLAR_ASSIGN_OR_RETURN(parts.normalizer, ReadNormalizer(normalizer));
  }
  ASHLAR_ASSIGN_OR_RETURN(parts.pre_tokenizer, ReadPreTokenizer(root["pre_tokenizer"]));
  const Vocabulary& vocabulary = parts.model->vocabulary();
  ASHLAR_ASSIGN_OR_RETURN(parts.post_processor,
                          PostProcessor::Read(root["post_processor"], vocabulary));
  ASHLAR_ASSIGN_OR_RETURN(parts.decoder, ReadDecoder(root["decoder"]));
  ASHLAR_ASSIGN_OR_RETURN(parts.truncation, ReadTruncation(root["truncation"]));
  ASHLAR_ASSIGN_OR_RETURN(parts.padding, ReadPadding(root["padding"]));
  ASHLAR_RETURN_IF_ERROR(ReadAddedTokens(root["added_tokens"], &parts.added_tokens));
  config.AppendTo(vocabulary, &parts.added_tokens);
  parts.pad_token = config.Role("pad_token", "");
  // BERT's files need not say what pads.
  if (parts.pad_token.empty() && !parts.padding && vocabulary.Find("[PAD]"))
    parts.pad_token = "[PAD]";
  return parts;
}

}  // namespace ashlar
