// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/replacement.h"

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {

absl::StatusOr<Regex> ReadPattern(const JsonField& field) {
  if (field.size() != 1 || !(field["String"].present() || field["Regex"].present()))
    return field.Expected("{\"String\": \"...\"} or {\"Regex\": \"...\"}");
  if (field["String"].present()) {
    ASHLAR_ASSIGN_OR_RETURN(std::string text, field["String"].String());
    return Regex::Literal(text);
  }
  ASHLAR_ASSIGN_OR_RETURN(std::string pattern, field["Regex"].String());
  auto regex = Regex::Compile(pattern);
  if (!regex.ok())
    return Annotate(regex.status(), StrCat(field.path(), ": ", field["Regex"].name()));
  return regex;
}

absl::StatusOr<Replacement> Replacement::Read(const JsonField& field) {
  ASHLAR_ASSIGN_OR_RETURN(Regex pattern, ReadPattern(field["pattern"]));
  ASHLAR_ASSIGN_OR_RETURN(std::string content, field["content"].String());
  return Replacement(std::move(pattern), DecodeUtf8(content));
}

// What is put in shares the place of the last character of the match.
absl::Status Replacement::Apply(AlignedText* text) const {
  Regex::Finder finder(pattern_);
  ASHLAR_ASSIGN_OR_RETURN(auto matches, finder.Find(text->chars));
  if (matches.empty()) return absl::OkStatus();
  ASHLAR_RETURN_IF_ERROR(CheckNormalizedSize(text->size() + matches.size() * content_.size()));
  AlignedText result;
  size_t copied = 0;
  for (const auto& [begin, end] : matches) {
    result.Append(*text, copied, begin);
    result.chars += content_;
    result.spans.resize(result.chars.size(), text->spans[end - 1]);
    copied = end;
  }
  result.Append(*text, copied, text->size());
  *text = std::move(result);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Replacement::Apply(std::string_view text) const {
  AlignedText aligned = AlignedText::Identity(DecodeUtf8(text));
  ASHLAR_RETURN_IF_ERROR(Apply(&aligned));
  return EncodeUtf8(aligned.chars);
}

}  // namespace ashlar
