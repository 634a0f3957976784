// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/aligned_text.h"

#include <gtest/gtest.h>

namespace ashlar {
namespace {

using Spans = std::vector<Span>;

TEST(AlignedText, PrependSharesTheFirstPlace) {
  AlignedText text = AlignedText::Identity(U"abc").Slice(1, 3);
  text.Prepend(U"__");
  EXPECT_EQ(text.chars, U"__bc");
  EXPECT_EQ(text.spans, (Spans{{1, 2}, {1, 2}, {1, 2}, {2, 3}}));
  AlignedText empty;
  empty.Prepend(U"_");
  EXPECT_TRUE(empty.empty());
}

TEST(AlignedText, Rewrites) {
  const AlignedText text = AlignedText::Identity(U"abcd");
  TextRewriter rewriter(text);
  rewriter.Put('!', 1);   // before anything: no place
  rewriter.Put('A', 0);   // for a
  rewriter.Put('x', 1);   // beside it
  rewriter.Put('B', -1);  // for b, c goes
  rewriter.Put('D', 0);
  AlignedText result = rewriter.Take();
  EXPECT_EQ(result.chars, U"!AxBD");
  EXPECT_EQ(result.spans, (Spans{{0, 0}, {0, 1}, {0, 1}, {1, 2}, {3, 4}}));
}

TEST(AlignedText, RewritesBeyondTheEnd) {
  const AlignedText text = AlignedText::Identity(U"a");
  TextRewriter rewriter(text);
  rewriter.Put('A', -3);
  rewriter.Put('B', 0);
  rewriter.Put('C', 1);
  EXPECT_EQ(rewriter.Take().spans, (Spans{{0, 1}, {0, 1}, {0, 1}}));
}

TEST(AlignedText, Limit) {
  EXPECT_TRUE(CheckNormalizedSize(kMaxNormalizedCharacters).ok());
  EXPECT_EQ(CheckNormalizedSize(kMaxNormalizedCharacters + 1).code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace ashlar
