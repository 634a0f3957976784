// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SentencePiece's way with blanks: they become a visible character, U+2581, and words begin with
// it ("Hey you" -> "▁Hey" "▁you"). A pre-tokenizer, and the decoder that undoes it.
#pragma once

#include "absl/status/statusor.h"
#include "runtime/text/json_field.h"
#include "runtime/text/parts/pieces.h"

namespace ashlar {

class Metaspace {
 public:
  enum class Prepend { kAlways, kFirst, kNever };  // kFirst: where the original text begins

  // Also takes the older form, with `add_prefix_space` instead of `prepend_scheme`.
  static absl::StatusOr<Metaspace> Read(const JsonField& field);

  absl::Status Apply(Pieces* pieces) const;
  // A token's text; of the first one the blanks are dropped where they may have been put there.
  std::string Decode(std::string_view token, bool is_first) const;

 private:
  char32_t replacement_ = 0x2581;
  Prepend prepend_ = Prepend::kAlways;
  bool split_ = true;
};

}  // namespace ashlar
