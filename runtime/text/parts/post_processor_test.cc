// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/post_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<PostProcessor> Read(std::string json) {
  std::replace(json.begin(), json.end(), '\'', '"');
  auto field = JsonField::Parse("p.json", json);
  EXPECT_TRUE(field.ok()) << json;
  Vocabulary vocabulary;
  vocabulary.Add("<s>", 1);
  return PostProcessor::Read(*field, vocabulary);
}

// "id:type" of each token of A = 7 8, B = 9; special ones with a star.
std::string Assemble(const std::string& json, bool pair, bool special = true) {
  auto processor = Read(json);
  if (!processor.ok()) return Message(processor.status());
  std::vector<PostProcessor::Part> parts = {{{{7, {0, 1}}, {8, {1, 2}}}, {0, 1, 2}}};
  if (pair) parts.push_back({{{9, {0, 1}}}, {0, 1}});
  Encoding encoding = processor->Assemble(parts, special);
  std::vector<std::string> texts;
  int64_t specials = 0;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    specials += encoding.special_tokens_mask[i];
    texts.push_back(StrCat(encoding.ids[i], ":", encoding.type_ids[i],
                           encoding.special_tokens_mask[i] ? "*" : ""));
  }
  EXPECT_EQ(specials, special ? processor->SpecialTokens(pair) : 0);
  return StrJoin(texts, " ");
}

constexpr const char* kTemplate =
    "{'type': 'TemplateProcessing', 'special_tokens': {'[C]': {'id': '[C]', 'ids': [3, 4],"
    " 'tokens': ['[', 'C]']}}, 'single': [{'SpecialToken': {'id': '[C]', 'type_id': 2}},"
    " {'Sequence': {'id': 'A', 'type_id': 0}}], 'pair': [{'Sequence': {'id': 'B', 'type_id': 5}},"
    " {'SpecialToken': {'id': '<s>', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 1}}]}";

TEST(PostProcessor, Templates) {
  EXPECT_EQ(Assemble(kTemplate, false), "3:2* 4:2* 7:0 8:0");
  EXPECT_EQ(Assemble(kTemplate, true), "9:5 1:0* 7:1 8:1");
  EXPECT_EQ(Assemble(kTemplate, true, false), "9:5 7:1 8:1");
  const std::string sequence =
      StrCat("{'type': 'Sequence', 'processors': [{'type': 'ByteLevel'}, ", kTemplate, "]}");
  EXPECT_EQ(Assemble(sequence, true), "9:5 1:0* 7:1 8:1");
}

TEST(PostProcessor, FixedOnes) {
  const std::string bert = "{'type': 'BertProcessing', 'sep': ['x', 3], 'cls': ['y', 2]}";
  EXPECT_EQ(Assemble(bert, false), "2:0* 7:0 8:0 3:0*");
  EXPECT_EQ(Assemble(bert, true), "2:0* 7:0 8:0 3:0* 9:1 3:1*");
  EXPECT_EQ(Assemble(bert, true, false), "7:0 8:0 9:1");
  const std::string roberta = "{'type': 'RobertaProcessing', 'sep': ['x', 3], 'cls': ['y', 2]}";
  EXPECT_EQ(Assemble(roberta, true), "2:0* 7:0 8:0 3:0* 3:0* 9:0 3:0*");
  EXPECT_EQ(Assemble(roberta, true, false), "7:0 8:0 9:0");
  EXPECT_EQ(Assemble("{'type': 'ByteLevel', 'trim_offsets': true}", true), "7:0 8:0 9:1");
}

TEST(PostProcessor, TrimsOffsets) {
  auto trim = [](const char* json, TextToken token, bool first) {
    std::vector<PostProcessor::Part> parts(1);
    if (!first) parts[0].tokens.push_back({1, {0, 1}});
    parts[0].tokens.push_back(token);
    parts[0].places = {0, 1, 2, 3, 4, 5, 6};
    const auto offsets = Read(json)->Assemble(parts, true).offsets.back();
    return std::make_pair(offsets.begin, offsets.end);
  };
  using Pair = std::pair<int64_t, int64_t>;
  const char* plain = "{'type': 'ByteLevel', 'trim_offsets': true, 'add_prefix_space': false}";
  const char* prefix = "{'type': 'ByteLevel', 'trim_offsets': true, 'add_prefix_space': true}";
  EXPECT_EQ(trim(plain, {9, {1, 5}, 2, 1}, false), Pair(3, 4));
  EXPECT_EQ(trim(plain, {9, {0, 3}, 1, 0}, true), Pair(1, 3));
  EXPECT_EQ(trim(prefix, {9, {0, 3}, 1, 0}, true), Pair(0, 3)) << "that blank was put there";
  EXPECT_EQ(trim(prefix, {9, {0, 3}, 2, 0}, true), Pair(2, 3));
  EXPECT_EQ(trim(plain, {9, {2, 4}, 9, 9}, false), Pair(4, 4));
  EXPECT_EQ(trim("{'type': 'ByteLevel', 'trim_offsets': false}", {9, {1, 5}, 2, 1}, false),
            Pair(1, 5));
}

TEST(PostProcessor, Refuses) {
  const std::string twice =
      StrCat("{'type': 'Sequence', 'processors': [", kTemplate, ", ", kTemplate, "]}");
  EXPECT_THAT(Assemble(twice, true), HasSubstr("a second processor that adds tokens"));
  EXPECT_THAT(Assemble("{'type': 'Magic'}", true), HasSubstr("post-processor 'Magic' is not"));
  EXPECT_THAT(Assemble("{'type': 'BertProcessing', 'sep': ['x'], 'cls': ['y', 2]}", true),
              HasSubstr("p.json: sep: expected a token and its id"));
}

}  // namespace
}  // namespace ashlar
