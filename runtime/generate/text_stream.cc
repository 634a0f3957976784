// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/generate/text_stream.h"

#include <algorithm>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

// Length of the longest end of the text that is a beginning of `stop`, not all of it.
size_t Overlap(const std::string& text, const std::string& stop) {
  for (size_t length = std::min(text.size(), stop.size() - 1); length > 0; --length)
    if (text.compare(text.size() - length, length, stop, 0, length) == 0) return length;
  return 0;
}

}  // namespace

std::string TextStream::Take(bool at_end) {
  size_t certain = std::string::npos;
  for (const std::string& stop : stop_strings_) certain = std::min(certain, held_.find(stop));
  if (certain != std::string::npos) {
    stopped_ = true;
    std::string text = held_.substr(0, certain);
    held_.clear();
    return text;
  }
  size_t kept = 0;
  if (!at_end)
    for (const std::string& stop : stop_strings_) kept = std::max(kept, Overlap(held_, stop));
  std::string text = held_.substr(0, held_.size() - kept);
  held_.erase(0, text.size());
  return text;
}

absl::StatusOr<std::string> TextStream::Push(int64_t token) {
  if (stopped_) return std::string();
  ASHLAR_ASSIGN_OR_RETURN(std::string text, decoder_.Push(token));
  held_ += text;
  return Take(/*at_end=*/false);
}

absl::StatusOr<std::string> TextStream::Finish() {
  if (stopped_) return std::string();
  ASHLAR_ASSIGN_OR_RETURN(std::string text, decoder_.Finish());
  held_ += text;
  return Take(/*at_end=*/true);
}

}  // namespace ashlar
