// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text to the ids that a BERT model reads:
//
//   auto tokenizer = BertTokenizer::Load("all-MiniLM-L6-v2");  // a directory with a vocabulary
//   auto batch = (*tokenizer)->EncodeBatch({"a sentence", "another one"}, {}, 128);
//   Tensor ids = {"input_ids", DType::kI64, {batch->size, batch->length}, batch->ids.data()};
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/added_tokens.h"
#include "runtime/text/bert_files.h"
#include "runtime/text/wordpiece.h"

namespace ashlar {

// [CLS] text [SEP], or [CLS] text [SEP] pair [SEP].
struct Encoding {
  std::vector<int64_t> ids;
  std::vector<int64_t> type_ids;  // 1 for the pair and the [SEP] that ends it
  int64_t full_length = 0;        // of ids, had nothing been cut off
};

// Encodings side by side, [size, length], short ones padded on the right.
struct EncodedBatch {
  int64_t size = 0, length = 0;
  std::vector<int64_t> ids;
  std::vector<int64_t> attention_mask;  // 0 for padding
  std::vector<int64_t> type_ids;
  std::vector<int64_t> full_lengths;  // one per text
};

// Immutable, so usable from any thread. Gives what transformers' BertTokenizer gives, on any bytes:
// what is not UTF-8 counts as U+FFFD.
class BertTokenizer {
 public:
  static constexpr int64_t kNoLimit = INT64_MAX;
  // Longer texts are refused: the memory taken is up to 20 times this, whatever the limit on ids.
  static constexpr size_t kMaxTextBytes = 64 << 20;

  // From a directory with tokenizer.json or vocab.txt, or from such a file alone; see bert_files.h.
  // Errors name the file: NotFound, DataLoss for what is malformed or incomplete, Unimplemented for
  // what is not supported.
  static absl::StatusOr<std::unique_ptr<const BertTokenizer>> Load(const std::string& path);
  static absl::StatusOr<std::unique_ptr<const BertTokenizer>> Create(
      const BertTokenizerFiles& files);

  // The ids of the text alone, without [CLS] and [SEP].
  absl::StatusOr<std::vector<int64_t>> Tokenize(std::string_view text) const;

  // At most `max_length` ids. Of a text that is too long its end is cut off; of a pair the end of
  // the longer part, then of both in equal measure. InvalidArgument when not even the special
  // tokens would fit.
  absl::StatusOr<Encoding> Encode(std::string_view text,
                                  std::optional<std::string_view> pair = std::nullopt,
                                  int64_t max_length = kNoLimit) const;

  // `pairs` is empty or has one for each text. The batch is as long as its longest text, but at
  // least `min_length`.
  absl::StatusOr<EncodedBatch> EncodeBatch(const std::vector<std::string>& texts,
                                           const std::vector<std::string>& pairs = {},
                                           int64_t max_length = kNoLimit,
                                           int64_t min_length = 0) const;

  int64_t pad_id() const { return pad_; }

 private:
  BertTokenizer() = default;
  absl::Status Prepare(const BertTokenizerFiles& files);
  absl::Status AddTokens(const BertTokenizerFiles& files);
  void AppendWords(std::u32string_view normalized, std::vector<int64_t>* ids) const;

  BertNormalization normalization_;
  WordPiece pieces_;
  AddedTokens raw_tokens_, normalized_tokens_;
  int64_t unknown_ = 0, classify_ = 0, separate_ = 0, pad_ = 0;
};

}  // namespace ashlar
