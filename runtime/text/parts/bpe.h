// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Byte-pair encoding: a word begins as its characters; of all neighbours that may merge, those of
// the lowest rank do (the leftmost of equals), until none may. (Sennrich et al., "Neural Machine
// Translation of Rare Words with Subword Units", 2016.) Candidates wait in a priority queue, so
// that a word of n characters takes O(n log n). Whether characters stand for bytes (byte-level
// BPE) or for themselves (SentencePiece's BPE) is the business of the parts before.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "runtime/text/parts/model.h"

namespace ashlar {

class Bpe : public Model {
 public:
  struct Options {
    std::string unknown;            // token for characters without one; empty: they are dropped
    std::string continuing_prefix;  // of characters after a word's first
    std::string end_of_word;        // suffix of a word's last character
    bool fuse_unknown = false;      // neighbouring unknown characters are one token
    bool byte_fallback = false;     // an unknown character is the tokens of its bytes, "<0x0A>"
    bool ignore_merges = false;     // a word of the vocabulary is one token, however it merges
  };
  // The ids of two neighbours and of what they become.
  struct Merge {
    int64_t left = 0, right = 0, merged = 0;
    uint32_t rank = 0;
  };

  // Of a pair that occurs twice the last merge counts.
  Bpe(Vocabulary vocabulary, const std::vector<Merge>& merges, Options options);
  static absl::StatusOr<std::unique_ptr<const Model>> Read(const JsonField& field);

  // The merge of two tokens by name; DataLoss "<token> is not in the vocabulary".
  static absl::StatusOr<Merge> FindMerge(const Vocabulary& vocabulary, const std::string& left,
                                         const std::string& right,
                                         const std::string& continuing_prefix, uint32_t rank);

  absl::Status Tokenize(std::string_view word, std::vector<ModelToken>* tokens) const override;

 private:
  struct Symbol {
    int64_t id;
    uint32_t bytes;      // of the word; 0 once merged into the one before
    int32_t prev, next;  // neighbours that are left; -1: none
  };
  struct Target {
    uint32_t rank;
    int64_t id;
  };
  using Pair = std::pair<int64_t, int64_t>;

  absl::Status AppendCharacters(std::string_view word, std::vector<Symbol>* symbols) const;
  bool AppendBytes(std::string_view character, std::vector<Symbol>* symbols) const;
  void MergeAll(std::vector<Symbol>* symbols) const;
  const Target* FindTarget(const std::vector<Symbol>& symbols, int32_t left) const;

  Options options_;
  std::optional<int64_t> unknown_;
  std::optional<int64_t> bytes_[256];
  // Made with room for all: where memory is used up, Abseil's tables must not have to grow (they
  // are torn then), and this one is looked up for every pair of neighbours.
  absl::flat_hash_map<Pair, Target> merges_;
};

}  // namespace ashlar
