// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/sentencepiece_normalizer.h"

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

constexpr char32_t kVisibleBlank = 0x2581;

}  // namespace

void SentencePieceNormalizer::MapPart(const AlignedText& text, size_t begin, size_t end,
                                      AlignedText* mapped) const {
  std::string bytes;
  std::vector<size_t> places;  // of each character in the bytes, and the end
  for (size_t i = begin; i < end; ++i) {
    places.push_back(bytes.size());
    AppendUtf8(text.chars[i], &bytes);
  }
  places.push_back(bytes.size());
  for (size_t i = 0; i + begin < end;) {
    std::optional<Charsmap::Match> match = map_.Longest(std::string_view(bytes).substr(places[i]));
    size_t next = i + 1;
    while (match && places[next] < places[i] + match->bytes) ++next;
    // A map that cuts within a character is none of SentencePiece's making.
    if (!match || places[next] != places[i] + match->bytes) {
      mapped->Append(text.chars[begin + i], text.spans[begin + i]);
      ++i;
      continue;
    }
    const Span span = {text.spans[begin + i].begin, text.spans[begin + next - 1].end};
    for (char32_t c : DecodeUtf8(match->replacement)) mapped->Append(c, span);
    i = next;
  }
}

absl::Status SentencePieceNormalizer::Apply(AlignedText* text) const {
  AlignedText mapped;
  for (const AddedTokens::Part& part : symbols_->Split(text->chars)) {
    if (part.id >= 0)
      mapped.Append(*text, part.begin, part.end);
    else
      MapPart(*text, part.begin, part.end, &mapped);
    ASHLAR_RETURN_IF_ERROR(CheckNormalizedSize(mapped.size()));
  }
  const char32_t blank = options_.escape_blanks ? kVisibleBlank : U' ';
  AlignedText result;
  bool after_blank = options_.remove_extra_blanks;
  for (size_t i = 0; i < mapped.size(); ++i) {
    const char32_t c = mapped.chars[i];
    if (c == ' ' && after_blank) continue;
    result.Append(c == ' ' ? blank : c, mapped.spans[i]);
    after_blank = options_.remove_extra_blanks && c == ' ';
  }
  while (options_.remove_extra_blanks && !result.empty() && result.chars.back() == blank) {
    result.chars.pop_back();
    result.spans.pop_back();
  }
  if (options_.add_dummy_prefix && !options_.blank_as_suffix)
    result.Prepend(std::u32string_view(&blank, 1));
  else if (options_.add_dummy_prefix && !result.empty())
    result.Append(blank, result.spans.back());
  *text = std::move(result);
  return absl::OkStatus();
}

}  // namespace ashlar
