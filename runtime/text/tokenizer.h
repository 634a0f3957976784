// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text to the ids that a model reads, and back:
//
//   auto tokenizer = Tokenizer::Load("all-MiniLM-L6-v2");  // a directory with a vocabulary
//   auto batch = (*tokenizer)->EncodeBatch({"a sentence", "another one"}, {}, 128);
//   Tensor ids = {"input_ids", DType::kI64, {batch->size, batch->length}, batch->ids.data()};
//
// A text is searched for added tokens, normalized, cut into words by the pre-tokenizer and those
// into tokens by the model; the post-processor puts special tokens around them. Each part may be
// missing but the model.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/encoding.h"
#include "runtime/text/parts/added_tokens.h"
#include "runtime/text/parts/decoder.h"
#include "runtime/text/parts/model.h"
#include "runtime/text/parts/normalizer.h"
#include "runtime/text/parts/post_processor.h"
#include "runtime/text/parts/pre_tokenizer.h"

namespace ashlar {

// What a tokenizer is made of; see files/ for who reads them from where.
struct TokenizerParts {
  std::string path;                                   // of the file that is to blame, for errors
  std::unique_ptr<const Normalizer> normalizer;       // null: none
  std::unique_ptr<const PreTokenizer> pre_tokenizer;  // null: a text is one word
  std::unique_ptr<const Model> model;
  PostProcessor post_processor;
  std::unique_ptr<const Decoder> decoder;
  std::vector<AddedToken> added_tokens;
  std::optional<Truncation> truncation;  // what the files suggest
  std::optional<Padding> padding;
  std::string pad_token;  // overrules that of `padding`; empty: does not
};

// Immutable, so usable from any thread. Gives what the `tokenizers` library gives, on any bytes:
// what is not UTF-8 counts as U+FFFD.
class Tokenizer {
 public:
  static constexpr int64_t kNoLimit = INT64_MAX;
  // Longer texts are refused: the memory taken is up to 60 times this, whatever the limit on ids.
  static constexpr size_t kMaxTextBytes = 64 << 20;

  // From a directory or a single file; see files/tokenizer_files.h. Errors name the file: NotFound,
  // DataLoss for what is malformed or incomplete, Unimplemented for what is not supported.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const std::string& path);
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Create(TokenizerParts parts);

  // The ids of the text alone, without special tokens around it.
  absl::StatusOr<std::vector<int64_t>> Tokenize(std::string_view text) const;

  // Cut to `truncation`. InvalidArgument when not even the special tokens would fit.
  absl::StatusOr<Encoding> Encode(std::string_view text,
                                  std::optional<std::string_view> pair = std::nullopt,
                                  const Truncation& truncation = {},
                                  bool add_special_tokens = true) const;

  // `pairs` is empty or has one for each text. The batch is as long as its longest text, but at
  // least `min_length`, padded as the files say (on the right with the padding token, or 0, where
  // they say nothing).
  absl::StatusOr<EncodedBatch> EncodeBatch(const std::vector<std::string>& texts,
                                           const std::vector<std::string>& pairs = {},
                                           int64_t max_length = kNoLimit, int64_t min_length = 0,
                                           bool add_special_tokens = true) const;

  // Makes an encoding as long as `padding` says, at least; `longest` is that of its batch.
  static void Pad(const Padding& padding, int64_t longest, Encoding* encoding);

  // The text of ids. Ids of no token are passed over, as are special tokens if asked.
  absl::StatusOr<std::string> Decode(const std::vector<int64_t>& ids,
                                     bool skip_special_tokens = true) const;
  // The token of an id, as the decoder sees it; null where there is none, or it is passed over.
  const std::string* TokenText(int64_t id, bool skip_special_tokens) const;
  const Decoder& decoder() const { return *parts_.decoder; }

  std::optional<int64_t> FindToken(std::string_view token) const;
  // What the files suggest, which Encode does not do by itself.
  const std::optional<Truncation>& truncation() const { return parts_.truncation; }
  const Padding& padding() const { return padding_; }
  int64_t pad_id() const { return padding_.id; }

 private:
  explicit Tokenizer(TokenizerParts parts) : parts_(std::move(parts)) {}
  absl::Status AddTokens();
  absl::Status FindPadding();
  // The text's pieces, normalized; some of them are added tokens.
  absl::Status Normalize(const std::u32string& text, Pieces* pieces) const;
  absl::StatusOr<PostProcessor::Part> Cut(std::string_view text) const;
  absl::Status AppendTokens(const Pieces& pieces, std::vector<TextToken>* tokens) const;

  TokenizerParts parts_;
  Padding padding_;
  AddedTokens raw_tokens_, normalized_tokens_;
  std::unordered_map<int64_t, size_t> added_;              // id -> place in parts_.added_tokens
  std::unordered_map<int64_t, std::string> added_texts_;   // id -> content, normalized
  std::map<std::string, int64_t, std::less<>> added_ids_;  // content -> id
};

}  // namespace ashlar
