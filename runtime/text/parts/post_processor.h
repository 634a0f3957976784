// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The special tokens around a text or a pair: "[CLS] A [SEP] B [SEP]" and the like, as a list of
// items in order; and byte-level's trimming of offsets, so that a token's place leaves out the
// blank that it begins with.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/aligned_text.h"
#include "runtime/text/encoding.h"
#include "runtime/text/json_field.h"
#include "runtime/text/vocabulary.h"

namespace ashlar {

// A token of a text, before special tokens are put around it.
struct TextToken {
  int64_t id = 0;
  Span span;                           // characters of the text
  uint32_t leading = 0, trailing = 0;  // blanks that the token begins and ends with
};

class PostProcessor {
 public:
  // A special token's ids, or a text.
  struct Item {
    std::vector<int64_t> ids;  // none: the text `sequence`
    int sequence = 0;          // 0: the first text, 1: the second
    int64_t type_id = 0;
  };
  struct Template {
    std::vector<Item> single, pair;
  };
  // The tokens of a text and what turns characters to bytes: [i] is where character i begins, the
  // last one the size.
  struct Part {
    std::vector<TextToken> tokens;
    std::vector<int64_t> places;
  };

  // The two texts after one another, with types 0 and 1.
  PostProcessor();
  explicit PostProcessor(Template items) : template_(std::move(items)) {}

  // Reads the `post_processor` of a tokenizer.json: BertProcessing, ByteLevel, RobertaProcessing,
  // Sequence (with at most one that adds tokens), TemplateProcessing. A special token whose ids the
  // file does not list is looked up in the vocabulary.
  static absl::StatusOr<PostProcessor> Read(const JsonField& field, const Vocabulary& vocabulary);
  // "[CLS] A [SEP]" and "[CLS] A [SEP] B [SEP]"; `second_type` is B's.
  static PostProcessor Bert(int64_t classify, int64_t separate, int64_t second_type = 1);

  // How many tokens it adds.
  int64_t SpecialTokens(bool pair) const;
  // Whether offsets are trimmed, for which tokens need to know their blanks.
  bool trims() const { return !trims_.empty(); }
  Encoding Assemble(std::vector<Part> parts, bool add_special_tokens) const;

 private:
  absl::Status Add(const JsonField& field, const Vocabulary& vocabulary);
  absl::Status SetTemplate(const JsonField& field, Template items);
  void Trim(bool add_prefix_space, std::vector<TextToken>* tokens) const;

  Template template_;
  bool adds_tokens_ = false;
  bool roberta_ = false;     // types are 0 even without special tokens
  bool keeps_types_ = true;  // without special tokens too, the template's types count
  std::vector<bool> trims_;  // one for each time: whether a blank was put before the text
};

}  // namespace ashlar
