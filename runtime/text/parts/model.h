// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of a tokenizer that cuts a word into tokens of its vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/json_field.h"
#include "runtime/text/vocabulary.h"

namespace ashlar {

// A token, and the bytes [begin, end) of the word that it stands for.
struct ModelToken {
  int64_t id = 0;
  uint32_t begin = 0, end = 0;
};

// Immutable, so usable from any thread.
class Model {
 public:
  virtual ~Model() = default;
  const Vocabulary& vocabulary() const { return vocabulary_; }

  // Appends the tokens of a word, which is UTF-8. FailedPrecondition for what the vocabulary
  // cannot express where it has no token for the unknown either.
  virtual absl::Status Tokenize(std::string_view word, std::vector<ModelToken>* tokens) const = 0;

 protected:
  explicit Model(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}

 private:
  Vocabulary vocabulary_;
};

// Reads the `model` of a tokenizer.json: WordPiece, WordLevel, BPE or Unigram.
absl::StatusOr<std::unique_ptr<const Model>> ReadModel(const JsonField& field);

// Reads {"token": id, ...}.
absl::StatusOr<Vocabulary> ReadVocabulary(const JsonField& field);

// The token "<0x0A>" of a byte, and the byte of such a token: -1 for any other.
std::string ByteToken(uint8_t byte);
int ByteOfToken(std::string_view token);

}  // namespace ashlar
