// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/metaspace.h"

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {

absl::StatusOr<Metaspace> Metaspace::Read(const JsonField& field) {
  ASHLAR_RETURN_IF_ERROR(field.CheckObject(
      {"type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"}));
  Metaspace metaspace;
  ASHLAR_ASSIGN_OR_RETURN(std::string replacement, field["replacement"].String());
  const std::u32string characters = DecodeUtf8(replacement);
  if (characters.size() != 1) return field["replacement"].Expected("one character");
  metaspace.replacement_ = characters[0];
  ASHLAR_ASSIGN_OR_RETURN(metaspace.split_, field["split"].BoolOr(true));
  ASHLAR_ASSIGN_OR_RETURN(bool prefix, field["add_prefix_space"].BoolOr(true));
  ASHLAR_ASSIGN_OR_RETURN(std::string scheme,
                          field["prepend_scheme"].StringOr(prefix ? "always" : "never"));
  if (scheme == "always")
    metaspace.prepend_ = Prepend::kAlways;
  else if (scheme == "first")
    metaspace.prepend_ = Prepend::kFirst;
  else if (scheme == "never")
    metaspace.prepend_ = Prepend::kNever;
  else
    return field["prepend_scheme"].Expected("\"always\", \"first\" or \"never\"");
  return metaspace;
}

absl::Status Metaspace::Apply(Pieces* pieces) const {
  ASHLAR_RETURN_IF_ERROR(RewritePieces(
      [&](const Piece& piece, AlignedText* text) {
        for (char32_t& c : text->chars)
          if (c == ' ') c = replacement_;
        const bool wanted =
            prepend_ == Prepend::kAlways || (prepend_ == Prepend::kFirst && piece.origin == 0);
        if (wanted && !text->empty() && text->chars[0] != replacement_)
          text->Prepend(std::u32string_view(&replacement_, 1));
        return absl::OkStatus();
      },
      pieces));
  if (!split_) return absl::OkStatus();
  auto find = [&](std::u32string_view text, std::vector<Range>* matches) {
    for (size_t i = 0; i < text.size(); ++i)
      if (text[i] == replacement_) matches->emplace_back(i, i + 1);
    return absl::OkStatus();
  };
  return SplitPieces(find, SplitBehavior::kMergedWithNext, /*invert=*/false, pieces);
}

std::string Metaspace::Decode(std::string_view token, bool is_first) const {
  std::string text;
  for (char32_t c : DecodeUtf8(token)) {
    if (c != replacement_)
      AppendUtf8(c, &text);
    else if (!is_first || prepend_ == Prepend::kNever)
      text += ' ';
  }
  return text;
}

}  // namespace ashlar
