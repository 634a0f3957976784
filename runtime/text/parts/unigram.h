// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Unigram: of all ways to cut a word into pieces of the vocabulary, the one whose scores (log
// probabilities) sum to the most; what no piece covers costs 10 more than the least of them. (Kudo,
// "Subword Regularization", 2018.) Pieces that begin at a place are found in a trie over bytes,
// the best way to each place by Viterbi's recursion: time is O(bytes x longest piece).
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/text/parts/model.h"

namespace ashlar {

class Unigram : public Model {
 public:
  struct Piece {
    std::string text;
    double score = 0;
    bool searched = true;  // false: known by name only, never found in a word
  };
  struct Options {
    std::optional<int64_t> unknown;
    bool byte_fallback = false;         // what is unknown is the tokens of its bytes, "<0x0A>"
    bool unknown_by_name = true;        // fused unknown characters may spell a token's name
    bool single_precision = false;      // scores add up as SentencePiece's do, in float
    std::optional<double> least_score;  // of which the unknown is 10 below; unset: of all pieces
  };

  // A piece's id is its place in the list. Requires the unknown to be one of them.
  Unigram(const std::vector<Piece>& pieces, Options options);
  static absl::StatusOr<std::unique_ptr<const Model>> Read(const JsonField& field);

  absl::Status Tokenize(std::string_view word, std::vector<ModelToken>* tokens) const override;

 private:
  struct Best {
    double score = 0;
    int32_t id = -1;  // of the last piece on the best way to here; -1: no way yet
    uint32_t begin = 0;
  };

  void AddToTrie(const std::string& text, int64_t id);
  absl::Status FindBest(std::string_view word, std::vector<Best>* best) const;
  void AppendUnknown(std::string_view word, uint32_t begin, uint32_t end,
                     std::vector<ModelToken>* tokens) const;

  Options options_;
  std::vector<double> scores_;
  double unknown_score_ = 0;
  std::unordered_map<uint64_t, uint32_t> children_;  // node * 256 + byte -> node
  std::vector<int64_t> ends_;                        // per node the id of the piece it ends, or -1
};

}  // namespace ashlar
