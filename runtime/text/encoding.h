// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tokenizer makes of texts, and how long it may become.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ashlar {

// One text, or a pair of texts, with the special tokens around them. All lists have one length.
struct Encoding {
  // Bytes [begin, end) of the text (of the second one for its tokens); {0, 0} for what was added.
  struct Offsets {
    int64_t begin = 0, end = 0;
    friend bool operator==(const Offsets& a, const Offsets& b) {
      return a.begin == b.begin && a.end == b.end;
    }
  };

  std::vector<int64_t> ids;
  std::vector<int64_t> type_ids;             // as the model's files say, mostly 1 for the pair
  std::vector<int64_t> attention_mask;       // 0 for padding
  std::vector<int64_t> special_tokens_mask;  // 1 for what stands for no text
  std::vector<Offsets> offsets;
  std::vector<int64_t> sequences;  // 0: of the first text, 1: of the second, -1: of none
  int64_t full_length = 0;         // of ids, had nothing been cut off or padded
};

// Encodings side by side, [size, length], short ones padded.
struct EncodedBatch {
  int64_t size = 0, length = 0;
  std::vector<int64_t> ids;
  std::vector<int64_t> attention_mask;  // 0 for padding
  std::vector<int64_t> type_ids;
  std::vector<Encoding::Offsets> offsets;
  std::vector<int64_t> sequences;
  std::vector<int64_t> full_lengths;  // one per text
};

enum class Side { kLeft, kRight };

// How texts are cut to a length. What is cut off is dropped; windows that overlap by a stride, for
// which the files have a field, are the caller's to make.
struct Truncation {
  enum class Strategy {
    kLongestFirst,  // the longer of a pair down to the shorter, then both to halves
    kOnlyFirst,
    kOnlySecond,
  };
  int64_t max_length = INT64_MAX;  // of ids, special tokens included
  Strategy strategy = Strategy::kLongestFirst;
  Side side = Side::kRight;  // from which tokens are taken away
  int64_t stride = 0;
};

struct Padding {
  std::optional<int64_t> fixed_length;  // unset: as long as the longest of a batch
  int64_t multiple_of = 1;
  Side side = Side::kRight;  // on which tokens are added
  int64_t id = 0, type_id = 0;
  std::string token = "[PAD]";
};

}  // namespace ashlar
