// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/charsmap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/text/files/sentencepiece_proto.h"
#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using ::testing::HasSubstr;

// The map of testdata's sp-unigram: see rules() in make_tokenizers.py.
std::string Bytes() {
  const std::string path = ASHLAR_TEXT_TESTDATA "/families/sp-unigram/spiece.model";
  auto bytes = ReadFile(path, 1 << 24);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  auto proto = SentencePieceProto::Parse(path, *bytes);
  EXPECT_TRUE(proto.ok()) << proto.status();
  return proto->charsmap;
}

TEST(Charsmap, ShortestAndLongest) {
  auto map = Charsmap::FromBytes(Bytes());
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->Longest("ﬁx")->replacement, "fi");
  EXPECT_EQ(map->Longest("ﬁx")->bytes, 3u);
  EXPECT_EQ(map->Longest("\r\nx")->bytes, 2u);
  EXPECT_EQ(map->Longest("e\u0301")->replacement, "é");
  EXPECT_EQ(map->Longest("\u00ADx")->replacement, "");
  EXPECT_FALSE(map->Longest("x"));
  EXPECT_FALSE(map->Longest("e"));
  EXPECT_FALSE(map->Longest(""));
  EXPECT_FALSE(map->Shortest("\xEF\xAC"));
  EXPECT_FALSE(Charsmap::FromBytes("")->Longest("a"));
}

TEST(Charsmap, Graphemes) {
  auto map = Charsmap::FromBytes(Bytes());
  AlignedText text = AlignedText::Identity(U"aﬁe\u0301\r\n\u00ADz");
  ASSERT_TRUE(ReplaceGraphemes(*map, &text).ok());
  EXPECT_EQ(text.chars, U"afié z");
  EXPECT_EQ(text.spans, (std::vector<Span>{{0, 1}, {1, 2}, {1, 2}, {2, 3}, {4, 5}, {7, 8}}));
}

TEST(Charsmap, Refuses) {
  EXPECT_THAT(Message(Charsmap::FromBytes("abc").status()), HasSubstr("no room for its sizes"));
  EXPECT_THAT(Message(Charsmap::FromBytes(std::string("\x08\0\0\0abcd", 8)).status()),
              HasSubstr("of 8 bytes says that its trie has 8"));
  EXPECT_THAT(Message(Charsmap::FromBytes(std::string("\0\0\0\0\xFF", 5)).status()),
              HasSubstr("not UTF-8"));
  EXPECT_THAT(Message(Charsmap::FromBase64("%").status()), HasSubstr("not base64"));
}

// Whatever the trie says, looking things up stays within it.
TEST(Charsmap, DamagedTries) {
  const std::string good = Bytes();
  std::mt19937 rng(13);
  int taken = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bad = good;
    for (int n = 0; n < 20; ++n) bad[4 + rng() % (bad.size() - 4)] ^= 1 << (rng() % 8);
    auto map = Charsmap::FromBytes(bad);
    if (!map.ok()) continue;
    ++taken;
    AlignedText text = AlignedText::Identity(U"aﬁe\u0301\r\n\u00AD²½Å\u3000ＡＢ…ß\u200D");
    EXPECT_TRUE(ReplaceGraphemes(*map, &text).ok());
  }
  EXPECT_GT(taken, 100);
}

}  // namespace
}  // namespace ashlar
