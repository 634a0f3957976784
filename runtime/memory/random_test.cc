// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ashlar {
namespace {

TEST(Random, HasTheMomentsOfANormal) {
  constexpr int kCount = 1 << 20;
  uint64_t key = RandomKey(1, "w");
  double sum = 0, square = 0, fourth = 0, largest = 0;
  for (int i = 0; i < kCount; ++i) {
    double x = RandomNormal(key, i);
    sum += x;
    square += x * x;
    fourth += x * x * x * x;
    largest = std::max(largest, std::abs(x));
  }
  EXPECT_NEAR(sum / kCount, 0, 0.005);
  EXPECT_NEAR(square / kCount, 1, 0.005);
  EXPECT_NEAR(fourth / kCount, 2.7, 0.02);  // of four uniforms; a true normal's is 3
  EXPECT_LE(largest, 3.4643);
  EXPECT_GT(largest, 3.2);
}

TEST(Random, DependsOnSeedNameAndIndex) {
  EXPECT_NE(RandomKey(1, "a"), RandomKey(1, "b"));
  EXPECT_NE(RandomKey(1, "a"), RandomKey(2, "a"));
  EXPECT_NE(RandomBits(5, 0), RandomBits(5, 1));
  // Known values: the sequence is part of what an artifact with random weights means.
  EXPECT_EQ(RandomBits(0, 0), 0xe220a8397b1dcdafu);
  EXPECT_EQ(RandomBits(0, 1), 0x6e789e6aa1b965f4u);
  // Neighbours are not correlated.
  double product = 0;
  for (int i = 0; i < 100000; ++i) product += RandomNormal(7, i) * RandomNormal(7, i + 1);
  EXPECT_NEAR(product / 100000, 0, 0.02);
}

}  // namespace
}  // namespace ashlar
