// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pattern and what its matches become: a normalizer, and a decoder.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/text/aligned_text.h"
#include "runtime/text/json_field.h"
#include "runtime/text/regex.h"

namespace ashlar {

// Reads {"String": "..."} or {"Regex": "..."}.
absl::StatusOr<Regex> ReadPattern(const JsonField& field);

class Replacement {
 public:
  Replacement(Regex pattern, std::u32string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  // Reads `pattern` and `content` of an object.
  static absl::StatusOr<Replacement> Read(const JsonField& field);

  absl::Status Apply(AlignedText* text) const;
  absl::StatusOr<std::string> Apply(std::string_view text) const;

 private:
  Regex pattern_;
  std::u32string content_;
};

}  // namespace ashlar
