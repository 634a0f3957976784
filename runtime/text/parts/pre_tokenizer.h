// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a tokenizer cuts a normalized text into the words that its model cuts further.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "runtime/text/json_field.h"
#include "runtime/text/parts/pieces.h"

namespace ashlar {

// Immutable, so usable from any thread.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual absl::Status Apply(Pieces* pieces) const = 0;
};

// Reads the `pre_tokenizer` of a tokenizer.json: BertPreTokenizer, ByteLevel, CharDelimiterSplit,
// Digits, FixedLength, Metaspace, Punctuation, Sequence, Split, Whitespace, WhitespaceSplit. Null
// where there is none: a text is one word then.
absl::StatusOr<std::unique_ptr<const PreTokenizer>> ReadPreTokenizer(const JsonField& field);

// Words at whitespace, each punctuation character a word of its own.
std::unique_ptr<const PreTokenizer> MakeBertPreTokenizer();
// Words after GPT-2's pattern (with a blank put before the first one, if asked), as the characters
// of their bytes.
absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeByteLevelPreTokenizer(
    bool add_prefix_space);

}  // namespace ashlar
