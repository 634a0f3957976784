// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text of a model's tokens while they are being made:
//
//   IncrementalDecoder decoder(tokenizer);
//   for (...) std::cout << *decoder.Push(id) << std::flush;
//   std::cout << *decoder.Finish();
//
// What comes is complete UTF-8 at every step, though tokens may end within a character. All of it
// together is what Tokenizer::Decode gives for the ids, with one exception: in byte-fallback
// vocabularies a run of byte tokens that is not UTF-8 as a whole is U+FFFD byte for byte there, of
// which complete characters have been given already here.
#pragma once

#include <string>

#include "runtime/text/tokenizer.h"

namespace ashlar {

// One text, one thread. The tokenizer must live as long.
class IncrementalDecoder {
 public:
  explicit IncrementalDecoder(const Tokenizer& tokenizer, bool skip_special_tokens = true)
      : tokenizer_(tokenizer),
        skip_special_tokens_(skip_special_tokens),
        run_(tokenizer.decoder().Start(/*streaming=*/true)) {}

  // Returns the text that the token completes, which may be none.
  absl::StatusOr<std::string> Push(int64_t id);
  // Returns what was held back. No more tokens may follow.
  absl::StatusOr<std::string> Finish();

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_tokens_;
  DecodeRun run_;
};

}  // namespace ashlar
