// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/math.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "runtime/base/status.h"

namespace ashlar {
namespace {

TEST(Math, ChecksOverflow) {
  uint64_t out = 7;
  EXPECT_FALSE(CheckedAdd<uint64_t>(UINT64_MAX, 1, &out));
  EXPECT_FALSE(CheckedMul<uint64_t>(1ull << 33, 1ull << 33, &out));
  EXPECT_FALSE(CheckedRoundUp<uint64_t>(UINT64_MAX - 3, 64, &out));
  EXPECT_EQ(out, 7u);
  EXPECT_TRUE(CheckedRoundUp<uint64_t>(65, 64, &out));
  EXPECT_EQ(out, 128u);
}

TEST(Math, RangeFitsWithoutOverflow) {
  EXPECT_TRUE(RangeFits(8, 0, 8));
  EXPECT_TRUE(RangeFits(0, 8, 8));
  EXPECT_FALSE(RangeFits(1, 8, 8));
  EXPECT_FALSE(RangeFits(9, 0, 8));
  EXPECT_FALSE(RangeFits(4, UINT64_MAX, 8));
}

TEST(Math, ElementsOfAShape) {
  int64_t elements;
  EXPECT_TRUE(CheckedElements({}, &elements));
  EXPECT_EQ(elements, 1);
  EXPECT_TRUE(CheckedElements({1LL << 40, 1LL << 40, 0}, &elements));
  EXPECT_EQ(elements, 0);
  EXPECT_FALSE(CheckedElements({1LL << 40, 1LL << 40}, &elements));
  EXPECT_FALSE(CheckedElements({3, -1}, &elements));
  EXPECT_FALSE(CheckedElements({0, -1}, &elements));
}

TEST(Status, MessagesArePrintable) {
  EXPECT_EQ(Printable("a\n\xff"), "a\\x0a\\xff");
  EXPECT_EQ(Printable("abcdef", 3), "abc...");
  EXPECT_EQ(ShapeToString({2, 3}), "[2, 3]");
  EXPECT_EQ(Message(Annotate(NotFound("x ", 3), "y")), "y: x 3");
}

}  // namespace
}  // namespace ashlar
