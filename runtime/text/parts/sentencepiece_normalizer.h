// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SentencePiece's own normalization: at each place the longest entry of the character map, blanks
// made visible and put together. "  Hello   world " becomes "▁Hello▁world".
#pragma once

#include <memory>

#include "runtime/text/parts/added_tokens.h"
#include "runtime/text/parts/charsmap.h"
#include "runtime/text/parts/normalizer.h"

namespace ashlar {

class SentencePieceNormalizer : public Normalizer {
 public:
  struct Options {
    bool add_dummy_prefix = true;     // a blank before the text
    bool remove_extra_blanks = true;  // at both ends, and of several but one
    bool escape_blanks = true;        // U+2581 for a blank
    bool blank_as_suffix = false;     // the dummy goes behind the text
  };

  // `symbols` are passed on as they are.
  SentencePieceNormalizer(Charsmap map, std::shared_ptr<const AddedTokens> symbols, Options options)
      : map_(std::move(map)), symbols_(std::move(symbols)), options_(options) {}

  absl::Status Apply(AlignedText* text) const override;

 private:
  // What a part of the text becomes, before blanks are looked at.
  void MapPart(const AlignedText& text, size_t begin, size_t end, AlignedText* mapped) const;

  Charsmap map_;
  std::shared_ptr<const AddedTokens> symbols_;
  Options options_;
};

}  // namespace ashlar
