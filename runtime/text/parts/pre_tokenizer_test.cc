// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

// The pieces, with '|' between; or the error. JSON is written with ' for ".
std::string Cut(std::string json, std::string_view text) {
  std::replace(json.begin(), json.end(), '\'', '"');
  auto field = JsonField::Parse("p.json", json);
  EXPECT_TRUE(field.ok()) << json;
  auto pre_tokenizer = ReadPreTokenizer(*field);
  if (!pre_tokenizer.ok()) return Message(pre_tokenizer.status());
  Pieces pieces;
  pieces.text = AlignedText::Identity(DecodeUtf8(text));
  if (!pieces.text.empty()) pieces.pieces.push_back({0, pieces.text.size()});
  absl::Status status = (*pre_tokenizer)->Apply(&pieces);
  if (!status.ok()) return Message(status);
  std::vector<std::string> words;
  for (const Piece& piece : pieces.pieces)
    words.push_back(EncodeUtf8(
        std::u32string_view(pieces.text.chars).substr(piece.begin, piece.end - piece.begin)));
  return StrJoin(words, "|");
}

std::string Split(const std::string& behavior, bool invert = false) {
  return Cut("{'type': 'Split', 'pattern': {'String': '-'}, 'behavior': '" + behavior +
                 "', 'invert': " + (invert ? "true}" : "false}"),
             "the-final--countdown");
}

TEST(PreTokenizer, Behaviors) {
  EXPECT_EQ(Split("Removed"), "the|final|countdown");
  EXPECT_EQ(Split("Isolated"), "the|-|final|-|-|countdown");
  EXPECT_EQ(Split("MergedWithPrevious"), "the-|final-|-|countdown");
  EXPECT_EQ(Split("MergedWithNext"), "the|-final|-|-countdown");
  EXPECT_EQ(Split("Contiguous"), "the|-|final|--|countdown");
  EXPECT_EQ(Split("Removed", true), "-|-|-");
}

TEST(PreTokenizer, EachKind) {
  struct {
    const char* json;
    const char* text;
    const char* expected;
  } cases[] = {
      {"{'type': 'BertPreTokenizer'}", "it's  a_b", "it|'|s|a|_|b"},
      {"{'type': 'Whitespace'}", "he²llo wör_ld!?", "he|²|llo|wör_ld|!?"},
      {"{'type': 'WhitespaceSplit'}", " a\u3000b!\n", "a|b!"},
      {"{'type': 'Punctuation'}", "a!?b", "a|!|?|b"},
      {"{'type': 'Punctuation', 'behavior': 'Contiguous'}", "a!?b", "a|!?|b"},
      {"{'type': 'Digits', 'individual_digits': true}", "a12٣", "a|1|2|٣"},
      {"{'type': 'Digits', 'individual_digits': false}", "a12٣b", "a|12٣|b"},
      {"{'type': 'CharDelimiterSplit', 'delimiter': 'x'}", "axxb", "a|b"},
      {"{'type': 'FixedLength', 'length': 3}", "abcdefgh", "abc|def|gh"},
      {"{'type': 'ByteLevel', 'add_prefix_space': true, 'trim_offsets': true}", "it's  é\n",
       "Ġit|'s|Ġ|ĠÃ©|Ċ"},
      {"{'type': 'ByteLevel', 'add_prefix_space': false, 'use_regex': false}", "a b", "aĠb"},
      {"{'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'always', 'split': true}",
       "a  b", "▁a|▁|▁b"},
      {"{'type': 'Metaspace', 'replacement': '_', 'prepend_scheme': 'never', 'split': false}",
       "a b", "a_b"},
      {"{'type': 'Metaspace', 'replacement': '_', 'add_prefix_space': true}", " a", "_a"},
      {"{'type': 'Sequence', 'pretokenizers': [{'type': 'WhitespaceSplit'}, {'type': 'Metaspace',"
       " 'replacement': '_', 'prepend_scheme': 'first'}]}",
       "a b", "_a|b"},
      {"{'type': 'Sequence', 'pretokenizers': [{'type': 'WhitespaceSplit'}, {'type': 'Metaspace',"
       " 'replacement': '_', 'prepend_scheme': 'first'}]}",
       " a b", "a|b"},
  };
  for (const auto& [json, text, expected] : cases) EXPECT_EQ(Cut(json, text), expected) << json;
}

TEST(PreTokenizer, Refuses) {
  const std::pair<const char*, const char*> cases[] = {
      {"{'type': 'UnicodeScripts'}", "p.json: type: the pre-tokenizer 'UnicodeScripts' is not"},
      {"{'type': 'Split', 'pattern': {'String': 'x'}, 'behavior': 'Gone'}",
       "p.json: behavior: expected Removed, Isolated,"},
      {"{'type': 'Split', 'pattern': {'Regex': '(?x)'}, 'behavior': 'Removed'}",
       "p.json: pattern.Regex: pattern '(?x)': at character 1"},
      {"{'type': 'CharDelimiterSplit', 'delimiter': 'ab'}", "delimiter: expected one character"},
      {"{'type': 'FixedLength', 'length': 0}", "length: expected at least 1"},
      {"{'type': 'Metaspace', 'replacement': ''}", "replacement: expected one character"},
      {"{'type': 'Metaspace', 'replacement': '_', 'prepend_scheme': 'last'}",
       "prepend_scheme: expected \"always\""},
      {"{'type': 'Sequence', 'pretokenizers': [null]}", "pretokenizers[0]: expected"},
      {"{'type': 'Whitespace', 'x': 1}", "x: this field is not supported"},
  };
  for (const auto& [json, message] : cases) EXPECT_THAT(Cut(json, "a"), HasSubstr(message));
}

TEST(PreTokenizer, LeavesTokensAlone) {
  Pieces pieces;
  pieces.text = AlignedText::Identity(U"a b c");
  pieces.pieces = {{0, 3, 7}, {3, 5}};
  ASSERT_TRUE((*MakeByteLevelPreTokenizer(true))->Apply(&pieces).ok());
  ASSERT_EQ(pieces.pieces.size(), 2u);
  EXPECT_EQ(pieces.pieces[0].token, 7);
  EXPECT_EQ(pieces.text.chars, U"a bĠc");
}

}  // namespace
}  // namespace ashlar
