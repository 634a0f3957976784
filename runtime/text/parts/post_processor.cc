// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/post_processor.h"

#include <algorithm>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

using Item = PostProcessor::Item;
using Template = PostProcessor::Template;

Item Text(int sequence, int64_t type) { return {{}, sequence, type}; }
Item Special(int64_t id, int64_t type) { return {{id}, 0, type}; }

Template BertTemplate(int64_t classify, int64_t separate, int64_t second_type) {
  return {{Special(classify, 0), Text(0, 0), Special(separate, 0)},
          {Special(classify, 0), Text(0, 0), Special(separate, 0), Text(1, second_type),
           Special(separate, second_type)}};
}

// ["[SEP]", 102]: BertProcessing's and RobertaProcessing's way to write a token.
absl::StatusOr<int64_t> ReadTokenPair(const JsonField& field) {
  if (field.size() != 2) return field.Expected("a token and its id");
  ASHLAR_RETURN_IF_ERROR(field.At(0).String().status());
  return field.At(1).Index();
}

// The ids of the special token `name`, from TemplateProcessing's list or from the vocabulary.
absl::StatusOr<std::vector<int64_t>> ReadSpecialIds(const JsonField& item, const JsonField& tokens,
                                                    const Vocabulary& vocabulary) {
  ASHLAR_ASSIGN_OR_RETURN(std::string name, item["id"].String());
  std::vector<int64_t> ids;
  JsonField listed = tokens[name]["ids"];
  for (size_t i = 0; i < listed.size(); ++i) {
    ASHLAR_ASSIGN_OR_RETURN(int64_t id, listed.At(i).Index());
    ids.push_back(id);
  }
  std::optional<int64_t> known = vocabulary.Find(name);
  if (ids.empty() && known) ids.push_back(*known);
  if (ids.empty())
    return DataLoss(item.path(), ": ", item["id"].name(), ": the token '", Printable(name),
                    "' is neither in special_tokens nor in the vocabulary");
  return ids;
}

absl::StatusOr<std::vector<Item>> ReadItems(const JsonField& list, bool pair,
                                            const JsonField& tokens, const Vocabulary& vocabulary) {
  ASHLAR_RETURN_IF_ERROR(list.CheckArray());
  std::vector<Item> items;
  for (size_t i = 0; i < list.size(); ++i) {
    Item item;
    JsonField text = list.At(i)["Sequence"], special = list.At(i)["SpecialToken"];
    if (text.present() == special.present())
      return list.At(i).Expected("{\"Sequence\": ...} or {\"SpecialToken\": ...}");
    ASHLAR_ASSIGN_OR_RETURN(item.type_id, (text.present() ? text : special)["type_id"].Index());
    if (special.present()) {
      ASHLAR_ASSIGN_OR_RETURN(item.ids, ReadSpecialIds(special, tokens, vocabulary));
    } else if (pair && text["id"].Is("B")) {
      item.sequence = 1;
    } else if (!text["id"].Is("A")) {
      return text["id"].Expected(pair ? "\"A\" or \"B\"" : "\"A\"");
    }
    items.push_back(std::move(item));
  }
  return items;
}

absl::StatusOr<Template> ReadTemplate(const JsonField& field, const Vocabulary& vocabulary) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "single", "pair", "special_tokens"}));
  Template items;
  JsonField tokens = field["special_tokens"];
  ASHLAR_ASSIGN_OR_RETURN(items.single, ReadItems(field["single"], false, tokens, vocabulary));
  ASHLAR_ASSIGN_OR_RETURN(items.pair, ReadItems(field["pair"], true, tokens, vocabulary));
  return items;
}

int64_t CountSpecial(const std::vector<Item>& items) {
  size_t count = 0;
  for (const Item& item : items) count += item.ids.size();
  return static_cast<int64_t>(count);
}

void Append(int64_t id, int64_t type, int64_t sequence, Encoding::Offsets offsets, Encoding* to) {
  to->ids.push_back(id);
  to->type_ids.push_back(type);
  to->attention_mask.push_back(1);
  to->special_tokens_mask.push_back(sequence < 0);
  to->offsets.push_back(offsets);
  to->sequences.push_back(sequence);
}

}  // namespace

PostProcessor::PostProcessor() : template_{{Text(0, 0)}, {Text(0, 0), Text(1, 1)}} {}

PostProcessor PostProcessor::Bert(int64_t classify, int64_t separate, int64_t second_type) {
  return PostProcessor(BertTemplate(classify, separate, second_type));
}

absl::StatusOr<PostProcessor> PostProcessor::Read(const JsonField& field,
                                                  const Vocabulary& vocabulary) {
  PostProcessor processor;
  if (field.present()) ASHLAR_RETURN_IF_ERROR(processor.Add(field, vocabulary));
  return processor;
}

absl::Status PostProcessor::SetTemplate(const JsonField& field, Template items) {
  if (adds_tokens_)
    return field.Unsupported("a second processor that adds tokens is not supported");
  adds_tokens_ = true;
  template_ = std::move(items);
  return absl::OkStatus();
}

absl::Status PostProcessor::Add(const JsonField& field, const Vocabulary& vocabulary) {
  ASHLAR_ASSIGN_OR_RETURN(std::string type, field["type"].String());
  if (type == "TemplateProcessing") {
    ASHLAR_ASSIGN_OR_RETURN(Template items, ReadTemplate(field, vocabulary));
    return SetTemplate(field, std::move(items));
  }
  if (type == "Sequence") {
    ASHLAR_RETURN_IF_ERROR(field.CheckObject({"type", "processors"}));
    JsonField list = field["processors"];
    ASHLAR_RETURN_IF_ERROR(list.CheckArray());
    for (size_t i = 0; i < list.size(); ++i) ASHLAR_RETURN_IF_ERROR(Add(list.At(i), vocabulary));
    return absl::OkStatus();
  }
  const bool roberta = type == "RobertaProcessing", bytes = type == "ByteLevel";
  if (roberta || bytes) {
    ASHLAR_ASSIGN_OR_RETURN(bool trim, field["trim_offsets"].BoolOr(true));
    ASHLAR_ASSIGN_OR_RETURN(bool prefix, field["add_prefix_space"].BoolOr(true));
    if (trim) trims_.push_back(prefix);
  }
  if (bytes) return field.CheckObject({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (!roberta && type != "BertProcessing")
    return field["type"].Unsupported(
        StrCat("the post-processor '", Printable(type),
               "' is not supported; supported are BertProcessing, ByteLevel, RobertaProcessing, "
               "Sequence and TemplateProcessing"));
  ASHLAR_RETURN_IF_ERROR(
      field.CheckObject({"type", "sep", "cls", "trim_offsets", "add_prefix_space"}));
  ASHLAR_ASSIGN_OR_RETURN(int64_t separate, ReadTokenPair(field["sep"]));
  ASHLAR_ASSIGN_OR_RETURN(int64_t classify, ReadTokenPair(field["cls"]));
  Template items = BertTemplate(classify, separate, roberta ? 0 : 1);
  if (roberta) items.pair.insert(items.pair.begin() + 3, Special(separate, 0));
  roberta_ |= roberta;
  keeps_types_ = false;
  return SetTemplate(field, std::move(items));
}

int64_t PostProcessor::SpecialTokens(bool pair) const {
  return CountSpecial(pair ? template_.pair : template_.single);
}

// A blank that was put before the text is part of no place; one alone at the beginning is that one.
void PostProcessor::Trim(bool add_prefix_space, std::vector<TextToken>* tokens) const {
  for (size_t i = 0; i < tokens->size(); ++i) {
    TextToken& token = (*tokens)[i];
    Span& span = token.span;
    uint32_t leading = token.leading;
    const bool first = i == 0 || span.begin == 0;
    if (first && add_prefix_space && leading == 1) leading = 0;
    span.begin = std::min(span.begin + leading, span.end);
    if (token.trailing > 0 && span.end >= token.trailing)
      span.end = std::max(span.end - token.trailing, span.begin);
  }
}

Encoding PostProcessor::Assemble(std::vector<Part> parts, bool add_special_tokens) const {
  for (bool add_prefix_space : trims_)
    for (Part& part : parts) Trim(add_prefix_space, &part.tokens);
  Encoding encoding;
  for (const Item& item : parts.size() == 2 ? template_.pair : template_.single) {
    if (!item.ids.empty()) {
      for (int64_t id : item.ids)
        if (add_special_tokens) Append(id, item.type_id, /*sequence=*/-1, {}, &encoding);
      continue;
    }
    const int64_t type = add_special_tokens || keeps_types_ ? item.type_id
                         : roberta_                         ? 0
                                                            : item.sequence;
    const Part& part = parts[static_cast<size_t>(item.sequence)];
    for (const TextToken& token : part.tokens)
      Append(token.id, type, item.sequence,
             {part.places[token.span.begin], part.places[token.span.end]}, &encoding);
  }
  return encoding;
}

}  // namespace ashlar
