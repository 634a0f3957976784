// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/status.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Strings = std::vector<std::string>;

std::unique_ptr<const Decoder> Read(std::string json) {
  std::replace(json.begin(), json.end(), '\'', '"');
  auto field = JsonField::Parse("d.json", json);
  EXPECT_TRUE(field.ok()) << json;
  auto decoder = ReadDecoder((*field)["decoder"]);
  EXPECT_TRUE(decoder.ok()) << decoder.status();
  return std::move(*decoder);
}

// The text after each token, and after the last.
Strings Stream(const std::string& json, const Strings& tokens, bool streaming = true) {
  auto decoder = Read(json);
  DecodeRun run = decoder->Start(streaming);
  Strings pieces;
  for (const std::string& token : tokens) EXPECT_TRUE(run.Push(token, &pieces.emplace_back()).ok());
  EXPECT_TRUE(run.Finish(&pieces.emplace_back()).ok());
  for (const std::string& piece : pieces) EXPECT_TRUE(IsUtf8(piece)) << json;
  return pieces;
}

// What the `tokenizers` package gives for these.
TEST(Decoder, EachKind) {
  struct {
    const char* json;
    Strings tokens;
    const char* text;
  } cases[] = {
      {"{}", {"a", "b"}, "a b"},
      {"{'decoder': {'type': 'ByteFallback'}}",
       {"<0xE4>", "<0xB8>", "a", "<0x61>", "<0xE4>", "<0xB8>", "<0x96>", "<0xFF>"},
       "\uFFFD\uFFFDa\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"{'decoder': {'type': 'Metaspace', 'replacement': '▁'}}", {"▁a▁b", "▁", "▁c"}, "ab  c"},
      {"{'decoder': {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0}}",
       {"  a", " b"},
       " ab"},
      {"{'decoder': {'type': 'Strip', 'content': 'x', 'start': 1, 'stop': 2}}",
       {"xxaxxx", "x"},
       "xax"},
      {"{'decoder': {'type': 'WordPiece', 'prefix': '##', 'cleanup': true}}",
       {"a", "##b", "c", ".", "do", "n't"},
       "ab c. don't"},
      {"{'decoder': {'type': 'BPEDecoder', 'suffix': '</w>'}}", {"ab</w>", "c", "d</w>"}, "ab cd"},
      {"{'decoder': {'type': 'ByteLevel'}}", {"Ġa", " b", "é", "Ã©", "Ã"}, " a b\uFFFDé\uFFFD"},
      {"{'decoder': {'type': 'CTC'}}", {"a", "a", "<pad>", "a", "|", "b"}, "aa b"},
      {"{'decoder': {'type': 'Replace', 'pattern': {'Regex': 'a+'}, 'content': 'X'}}",
       {"aa", "ba"},
       "XbX"},
      {"{'decoder': {'type': 'Sequence', 'decoders': [{'type': 'Fuse'},"
       " {'type': 'Strip', 'content': 'a', 'start': 3, 'stop': 1}]}}",
       {"a", "a", "b", "a"},
       "b"},
      {"{'decoder': {'type': 'Sequence', 'decoders': [{'type': 'Fuse'}, {'type': 'Replace',"
       " 'pattern': {'String': 'ab'}, 'content': 'X'}]}}",
       {"a", "b", "a"},
       "Xa"},
  };
  for (const auto& [json, tokens, text] : cases)
    EXPECT_EQ(StrJoin(Stream(json, tokens, /*streaming=*/false), ""), text) << json;
}

constexpr const char* kLlama =
    "{'decoder': {'type': 'Sequence', 'decoders': [{'type': 'Replace', 'pattern': {'String': '▁'},"
    " 'content': ' '}, {'type': 'ByteFallback'}, {'type': 'Fuse'},"
    " {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0}]}}";

TEST(Decoder, TextComesAsSoonAsItCan) {
  EXPECT_THAT(Stream(kLlama, {"▁a", "▁b", "<0xE4>", "<0xB8>", "<0x96>", "<0x61>", "c"}),
              ElementsAre("a", " b", "", "", "世", "a", "c", ""));
  EXPECT_THAT(Stream("{'decoder': {'type': 'ByteLevel'}}", {"Ġa", "ä", "¸", "Ļb", "Ã"}),
              ElementsAre(" a", "", "", "\u4E19b", "", "\uFFFD"));
  EXPECT_THAT(Stream("{'decoder': {'type': 'WordPiece'}}", {"a", "##b", "c"}),
              ElementsAre("a", "b", " c", ""));
  EXPECT_THAT(Stream("{'decoder': {'type': 'BPEDecoder'}}", {"a</w>", "b</w>"}),
              ElementsAre("", "a ", "b"));
}

TEST(Decoder, RunsOfBytesThatAreNoText) {
  const Strings tokens = {"<0x61>", "<0xE4>", "<0xB8>", "c"};
  EXPECT_EQ(StrJoin(Stream(kLlama, tokens, false), ""), "\uFFFD\uFFFD\uFFFDc");
  EXPECT_THAT(Stream(kLlama, tokens), ElementsAre("a", "", "", "\uFFFD\uFFFDc", ""));
}

TEST(Decoder, Refuses) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"type": "Magic"})", "d.json: type: the decoder 'Magic' is not supported; supported"},
      {R"({"type": "Strip", "content": "ab", "start": 0, "stop": 0})", "content: expected one"},
      {R"({"type": "Strip", "content": "a", "start": -1, "stop": 0})", "start: expected"},
      {R"({"type": "Sequence", "decoders": [null]})", "decoders[0].type: expected a string"},
  };
  for (const auto& [json, message] : cases)
    EXPECT_THAT(Message(ReadDecoder(*JsonField::Parse("d.json", json)).status()),
                HasSubstr(message));
}

}  // namespace
}  // namespace ashlar
