// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text of a continuation, token by token, up to the first stop string.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/incremental_decoder.h"

namespace ashlar {

// One continuation, one thread. The tokenizer lives as long; stop strings are not empty.
class TextStream {
 public:
  TextStream(const Tokenizer& tokenizer, const std::vector<std::string>& stop_strings)
      : decoder_(tokenizer), stop_strings_(stop_strings) {}

  // Returns the text that the token completes, which is whole characters and may be none: what may
  // yet be the beginning of a stop string is held back. Text from the first stop string on is left
  // out; then stopped().
  absl::StatusOr<std::string> Push(int64_t token);
  // Returns what was held back. No more tokens may follow.
  absl::StatusOr<std::string> Finish();

  bool stopped() const { return stopped_; }

 private:
  // Takes what is certain from held_.
  std::string Take(bool at_end);

  IncrementalDecoder decoder_;
  const std::vector<std::string> stop_strings_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace ashlar
