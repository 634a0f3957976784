// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/normalizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

// What a normalizer makes of a text, or the error; its JSON is written with ' for ".
std::string Normalized(std::string json, std::string_view text) {
  std::replace(json.begin(), json.end(), '\'', '"');
  auto field = JsonField::Parse("n.json", json);
  EXPECT_TRUE(field.ok()) << json;
  auto normalizer = ReadNormalizer(*field);
  if (!normalizer.ok()) return Message(normalizer.status());
  AlignedText aligned = AlignedText::Identity(DecodeUtf8(text));
  absl::Status status = (*normalizer)->Apply(&aligned);
  EXPECT_EQ(aligned.chars.size(), aligned.spans.size());
  return status.ok() ? EncodeUtf8(aligned.chars) : Message(status);
}

TEST(Normalizer, EachKind) {
  struct {
    const char* json;
    const char* text;
    const char* expected;
  } cases[] = {
      {"{'type': 'NFC'}", "e\u0301", "é"},
      {"{'type': 'NFD'}", "é", "e\u0301"},
      {"{'type': 'NFKC'}", "ﬁ", "fi"},
      {"{'type': 'NFKD'}", "²é", "2e\u0301"},
      {"{'type': 'Lowercase'}", "AÉ\u0130ΣΑΣ", "aéi\u0307σασ"},
      {"{'type': 'StripAccents'}", "e\u0301éx\u0903", "eéx"},
      {"{'type': 'Nmt'}", "a\u0001b\tc\u200Bd\u007Fe\u2581f", "ab c de f"},
      {"{'type': 'Strip', 'strip_left': true, 'strip_right': false}", " \ta ", "a "},
      {"{'type': 'Strip', 'strip_left': false, 'strip_right': true}", " a\u3000\n", " a"},
      {"{'type': 'Strip', 'strip_left': true, 'strip_right': true}", " \n ", ""},
      {"{'type': 'Prepend', 'prepend': '__'}", "a", "__a"},
      {"{'type': 'Prepend', 'prepend': '__'}", "", ""},
      {"{'type': 'Replace', 'pattern': {'String': ' '}, 'content': '▁'}", " a b", "▁a▁b"},
      {"{'type': 'Replace', 'pattern': {'Regex': ' {2,}'}, 'content': ''}", "a  b c", "ab c"},
      {"{'type': 'ByteLevel'}", "a é\n", "aĠÃ©Ċ"},
      {"{'type': 'Precompiled', 'precompiled_charsmap': ''}", "ﬁ", "ﬁ"},
      {"{'type': 'Sequence', 'normalizers': [{'type': 'NFD'}, {'type': 'StripAccents'}]}", "é",
       "e"},
      {"{'type': 'BertNormalizer', 'clean_text': true, 'handle_chinese_chars': true,"
       " 'strip_accents': null, 'lowercase': true}",
       "É\t世", "e  世 "},
  };
  for (const auto& [json, text, expected] : cases)
    EXPECT_EQ(Normalized(json, text), expected) << json;
}

TEST(Normalizer, Refuses) {
  const std::pair<const char*, const char*> cases[] = {
      {"{'type': 'Magic'}", "n.json: type: the normalizer 'Magic' is not supported; supported are"},
      {"{'type': 'NFC', 'form': 3}", "n.json: form: this field is not supported"},
      {"{'type': 'Strip', 'strip_left': true}", "n.json: strip_right: expected true or false"},
      {"{'type': 'Replace', 'pattern': 'x', 'content': ''}", "n.json: pattern: expected {"},
      {"{'type': 'Replace', 'pattern': {'Regex': '('}, 'content': ''}",
       "n.json: pattern.Regex: pattern '(': at character 2 of the pattern: a group"},
      {"{'type': 'Precompiled', 'precompiled_charsmap': '%'}",
       "n.json: precompiled_charsmap: a character map that is not base64"},
      {"{'type': 'Sequence', 'normalizers': [{'type': 'NFC'}, null]}",
       "n.json: normalizers[1]: expected a normalizer"},
      {"{'type': 'Sequence', 'normalizers': [{'type': 'NFC'}, {'type': 'X'}]}",
       "n.json: normalizers[1].type: the normalizer 'X'"},
  };
  for (const auto& [json, message] : cases) EXPECT_THAT(Normalized(json, "a"), HasSubstr(message));
}

// A text that doubles again and again ends in an error, not in the machine's memory.
TEST(Normalizer, GrowthIsBounded) {
  std::string json = "{'type': 'Sequence', 'normalizers': [";
  for (int i = 0; i < 64; ++i)
    json += StrCat(i > 0 ? "," : "", "{'type': 'Replace', 'pattern': {'String': 'a'}, 'content': '",
                   std::string(1024, 'a'), "'}");
  EXPECT_THAT(Normalized(json + "]}", "a"), HasSubstr("at most 134217728 are taken"));
}

}  // namespace
}  // namespace ashlar
