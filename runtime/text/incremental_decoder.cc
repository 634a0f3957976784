// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/incremental_decoder.h"

#include "runtime/base/status.h"

namespace ashlar {

absl::StatusOr<std::string> IncrementalDecoder::Push(int64_t id) {
  std::string text;
  if (const std::string* token = tokenizer_.TokenText(id, skip_special_tokens_))
    ASHLAR_RETURN_IF_ERROR(run_.Push(*token, &text));
  return text;
}

absl::StatusOr<std::string> IncrementalDecoder::Finish() {
  std::string text;
  ASHLAR_RETURN_IF_ERROR(run_.Finish(&text));
  return text;
}

}  // namespace ashlar
