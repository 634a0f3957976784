// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/utf8_assembler.h"

#include <gtest/gtest.h>

#include <random>

#include "runtime/text/unicode.h"

namespace ashlar {
namespace {

using Errors = Utf8Assembler::Errors;

TEST(Utf8Assembler, WaitsForTheRest) {
  Utf8Assembler bytes(Errors::kPerPart);
  EXPECT_EQ(bytes.Push("a\xE4"), "a");
  EXPECT_EQ(bytes.Push("\xB8"), "");
  EXPECT_EQ(bytes.Push("\x96z\xF0"), "世z");
  EXPECT_FALSE(bytes.empty());
  EXPECT_EQ(bytes.Finish(), "\uFFFD");
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(bytes.Finish(), "");
}

TEST(Utf8Assembler, CountsErrors) {
  Utf8Assembler parts(Errors::kPerPart), bytes(Errors::kPerByte);
  EXPECT_EQ(parts.Push("\xE4\xB8z"), "\uFFFDz");
  EXPECT_EQ(bytes.Push("\xE4\xB8z"), "\uFFFD\uFFFDz");
  EXPECT_EQ(parts.Push("\xF0\x9F\x98") + parts.Finish(), "\uFFFD");
  EXPECT_EQ(bytes.Push("\xF0\x9F\x98") + bytes.Finish(), "\uFFFD\uFFFD\uFFFD");
}

// However bytes are cut, the text is that of all at once, and complete at each step.
TEST(Utf8Assembler, CutsMakeNoDifference) {
  std::mt19937 rng(11);
  const std::string sources[] = {
      "a",        "é",    "世",   "😀",           "\xC3",     "\xE4\xB8",
      "\xF0\x9F", "\xFF", "\x80", "\xED\xA0\x80", "\xC0\xAF", "\xF4\x90\x80\x80"};
  for (int round = 0; round < 5000; ++round) {
    std::string all, text;
    for (unsigned n = rng() % 6; n > 0; --n) all += sources[rng() % std::size(sources)];
    Utf8Assembler bytes(Errors::kPerPart);
    for (size_t at = 0; at < all.size();) {
      const size_t size = 1 + rng() % 3;
      const std::string piece = bytes.Push(std::string_view(all).substr(at, size));
      ASSERT_TRUE(IsUtf8(piece));
      text += piece;
      at += size;
    }
    text += bytes.Finish();
    ASSERT_EQ(text, EncodeUtf8(DecodeUtf8(all)));
  }
}

}  // namespace
}  // namespace ashlar
