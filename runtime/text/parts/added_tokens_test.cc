// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/parts/added_tokens.h"

#include <gtest/gtest.h>

namespace ashlar {
namespace {

using Parts = std::vector<std::pair<std::u32string, int64_t>>;

struct Flags {
  bool single_word = false, lstrip = false, rstrip = false;
};

class AddedTokensTest : public ::testing::Test {
 protected:
  void Add(std::u32string_view text, int64_t id, Flags flags = {}) {
    AddedToken token;
    token.id = id;
    token.single_word = flags.single_word;
    token.lstrip = flags.lstrip;
    token.rstrip = flags.rstrip;
    tokens_.Add(text, token);
  }
  Parts Split(std::u32string_view text) {
    Parts parts;
    for (const auto& part : tokens_.Split(text))
      parts.emplace_back(text.substr(part.begin, part.end - part.begin), part.id);
    return parts;
  }
  AddedTokens tokens_;
};

TEST_F(AddedTokensTest, LongestFromLeftToRight) {
  Add(U"[A]", 1);
  Add(U"[A]b", 2);
  Add(U"[", 3);
  Add(U"é世", 4);
  Add(U"", 5);
  Add(U"[A]", 6);  // the first counts
  EXPECT_EQ(Split(U"x[A][A]bc[[A é世[A"), (Parts{{U"x", -1},
                                                 {U"[A]", 1},
                                                 {U"[A]b", 2},
                                                 {U"c", -1},
                                                 {U"[", 3},
                                                 {U"[", 3},
                                                 {U"A ", -1},
                                                 {U"é世", 4},
                                                 {U"[", 3},
                                                 {U"A", -1}}));
  EXPECT_TRUE(Split(U"").empty());
}

TEST_F(AddedTokensTest, TakesWhitespaceIn) {
  Add(U"<l>", 1, {false, true, false});
  Add(U"<r>", 2, {false, false, true});
  EXPECT_EQ(Split(U"a \t<l> b"), (Parts{{U"a", -1}, {U" \t<l>", 1}, {U" b", -1}}));
  EXPECT_EQ(Split(U"a <r>\u3000\nb"), (Parts{{U"a ", -1}, {U"<r>\u3000\n", 2}, {U"b", -1}}));
  // What the one before took is not taken again.
  EXPECT_EQ(Split(U"<r>  <l>"), (Parts{{U"<r>  ", 2}, {U"<l>", 1}}));
}

TEST_F(AddedTokensTest, SingleWords) {
  Add(U"word", 1, {true, false, false});
  EXPECT_EQ(Split(U"word a-word, words sword éword"),
            (Parts{{U"word", 1}, {U" a-", -1}, {U"word", 1}, {U", words sword éword", -1}}));
}

}  // namespace
}  // namespace ashlar
