// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/charsmap.h"

#include <unicode/brkiter.h>
#include <unicode/locid.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

uint32_t ReadUnit(std::string_view bytes, size_t at) {
  uint32_t unit = 0;
  for (int i = 3; i >= 0; --i) unit = unit << 8 | static_cast<unsigned char>(bytes[at + i]);
  return unit;
}

uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }

// Calls `take` with each grapheme's [begin, end) in characters.
template <typename Take>
absl::Status ForEachGrapheme(const std::u32string& text, Take take) {
  auto is_break_after = [&](size_t i) { return !(text[i] == '\r' && text[i + 1] == '\n'); };
  if (std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x300; })) {
    for (size_t begin = 0, i = 0; i < text.size(); ++i) {
      if (i + 1 < text.size() && !is_break_after(i)) continue;
      take(begin, i + 1);
      begin = i + 1;
    }
    return absl::OkStatus();
  }
  UErrorCode error = U_ZERO_ERROR;
  std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), error));
  if (U_FAILURE(error)) return absl::InternalError("ICU's data on graphemes cannot be loaded");
  const auto units = icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                                   static_cast<int32_t>(text.size()));
  breaks->setText(units);
  size_t character = 0;
  int32_t unit = 0;
  for (int32_t end = breaks->next(); end != icu::BreakIterator::DONE; end = breaks->next()) {
    const size_t begin = character;
    for (; unit < end; ++character) unit += text[character] > 0xFFFF ? 2 : 1;
    take(begin, character);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Charsmap> Charsmap::FromBytes(std::string_view bytes) {
  Charsmap map;
  if (bytes.empty()) return map;
  if (bytes.size() < 4)
    return DataLoss("a character map of ", bytes.size(), " bytes has no room for its sizes");
  const size_t trie = ReadUnit(bytes, 0);
  if (trie % 4 != 0 || trie > bytes.size() - 4)
    return DataLoss("a character map of ", bytes.size(), " bytes says that its trie has ", trie);
  for (size_t at = 4; at < 4 + trie; at += 4) map.units_.push_back(ReadUnit(bytes, at));
  map.strings_ = bytes.substr(4 + trie);
  if (!IsUtf8(map.strings_)) return DataLoss("the strings of a character map are not UTF-8");
  return map;
}

absl::StatusOr<Charsmap> Charsmap::FromBase64(std::string_view text) {
  std::string bytes;
  if (!absl::Base64Unescape(absl::string_view(text.data(), text.size()), &bytes))
    return DataLoss("a character map that is not base64");
  return FromBytes(bytes);
}

std::optional<Charsmap::Match> Charsmap::Search(std::string_view text, bool first) const {
  std::optional<Match> found;
  if (units_.empty()) return found;
  size_t node = Offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size()) break;
    const uint32_t unit = units_[node];
    if ((unit & 0x800000FFu) != byte) break;
    node ^= Offset(unit);
    if (!(unit >> 8 & 1)) continue;
    if (node >= units_.size()) break;
    const size_t begin = units_[node] & 0x7FFFFFFFu;
    if (begin > strings_.size() ||
        (begin < strings_.size() && (static_cast<unsigned char>(strings_[begin]) & 0xC0) == 0x80))
      break;
    const size_t end = std::min(strings_.find('\0', begin), strings_.size());
    found = Match{i + 1, std::string_view(strings_).substr(begin, end - begin)};
    if (first) break;
  }
  return found;
}

absl::Status ReplaceGraphemes(const Charsmap& map, AlignedText* text) {
  struct Change {
    char32_t c;
    int change;  // see TextRewriter
  };
  std::vector<Change> changes;
  bool changed = false, too_long = false;
  std::string bytes;
  auto replace = [&](size_t begin, size_t end) {
    bytes.clear();
    for (size_t i = begin; i < end; ++i) AppendUtf8(text->chars[i], &bytes);
    std::optional<Charsmap::Match> match;
    if (end - begin == 1 || bytes.size() < 6) match = map.Shortest(bytes);
    if (!match) return false;
    const std::u32string replacement = DecodeUtf8(match->replacement);
    const size_t old = end - begin;
    for (size_t i = 0; i < replacement.size(); ++i) changes.push_back({replacement[i], i >= old});
    // What is removed counts for the character before.
    if (replacement.size() < old && !changes.empty())
      changes.back().change -= static_cast<int>(old - replacement.size());
    changed = true;
    return true;
  };
  ASHLAR_RETURN_IF_ERROR(ForEachGrapheme(text->chars, [&](size_t begin, size_t end) {
    too_long |= changes.size() > kMaxNormalizedCharacters;
    if (too_long || replace(begin, end)) return;
    for (size_t i = begin; i < end; ++i) {
      if (end - begin > 1 && replace(i, i + 1)) continue;
      changes.push_back({text->chars[i], 0});
    }
  }));
  ASHLAR_RETURN_IF_ERROR(CheckNormalizedSize(changes.size()));
  if (!changed) return absl::OkStatus();
  TextRewriter rewriter(*text);
  for (const Change& change : changes) rewriter.Put(change.c, change.change);
  *text = rewriter.Take();
  return absl::OkStatus();
}

}  // namespace ashlar
