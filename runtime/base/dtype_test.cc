// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/base/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace ashlar {
namespace {

TEST(DType, NamesRoundTrip) {
  for (int i = 0; i < kNumDTypes; ++i) {
    DType dtype = static_cast<DType>(i);
    EXPECT_EQ(ParseDTypeName(DTypeName(dtype)), dtype);
    EXPECT_GE(DTypeSize(dtype), 1);
  }
  EXPECT_FALSE(ParseDTypeName("f32").has_value());
  EXPECT_FALSE(ParseDTypeName("").has_value());
}

TEST(DType, EveryHalfSurvivesARoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    float value = F16ToF32(static_cast<uint16_t>(bits));
    float expected = std::ldexp(static_cast<float>(bits & 0x3ff), -24);
    int exponent = (bits >> 10) & 31;
    if (exponent > 0)
      expected = std::ldexp(1.0f + static_cast<float>(bits & 0x3ff) / 1024, exponent - 15);
    if (exponent == 31) expected = std::numeric_limits<float>::infinity();
    if (exponent == 31 && (bits & 0x3ff)) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(F16ToF32(F32ToF16(value))));
      continue;
    }
    EXPECT_EQ(value, bits & 0x8000 ? -expected : expected);
    EXPECT_EQ(F32ToF16(value), bits);
  }
}

TEST(DType, HalfRoundsToNearestEven) {
  EXPECT_EQ(F32ToF16(1.0f + 0x1p-11f), 0x3c00);             // a tie goes to the even one
  EXPECT_EQ(F32ToF16(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01);  // just above it
  EXPECT_EQ(F32ToF16(1.0f + 3 * 0x1p-11f), 0x3c02);
  EXPECT_EQ(F32ToF16(65519.0f), 0x7bff);
  EXPECT_EQ(F32ToF16(65520.0f), 0x7c00);
  EXPECT_EQ(F32ToF16(0x1p-25f), 0);  // half of the smallest subnormal: even is zero
  EXPECT_EQ(F32ToF16(0x1p-25f * 1.001f), 1);
  EXPECT_EQ(F32ToF16(-0.0f), 0x8000);
}

TEST(DType, BFloatRoundsToNearestEven) {
  EXPECT_EQ(F32ToBF16(1.0f), 0x3f80);
  EXPECT_EQ(F32ToBF16(1.0f + 0x1p-8f), 0x3f80);
  EXPECT_EQ(F32ToBF16(1.0f + 3 * 0x1p-8f), 0x3f82);
  EXPECT_EQ(F32ToBF16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_TRUE(std::isnan(BF16ToF32(F32ToBF16(std::nanf("")))));
  for (uint32_t bits = 0; bits < 0x7f80; ++bits) EXPECT_EQ(F32ToBF16(BF16ToF32(bits)), bits);
}

TEST(DType, ConvertsIntegersThatFit) {
  std::vector<int32_t> from = {-3, 0, 127};
  std::vector<int64_t> wide(3);
  ASSERT_TRUE(ConvertElements(DType::kI32, from.data(), DType::kI64, wide.data(), 3).ok());
  EXPECT_EQ(wide, (std::vector<int64_t>{-3, 0, 127}));
  std::vector<int8_t> narrow(3);
  ASSERT_TRUE(ConvertElements(DType::kI64, wide.data(), DType::kI8, narrow.data(), 3).ok());
  EXPECT_EQ(narrow, (std::vector<int8_t>{-3, 0, 127}));
  std::vector<float> floats(3);
  ASSERT_TRUE(ConvertElements(DType::kI8, narrow.data(), DType::kF32, floats.data(), 3).ok());
  EXPECT_EQ(floats, (std::vector<float>{-3, 0, 127}));
  std::vector<uint8_t> truth = {0, 1, 7};
  std::vector<uint8_t> bools(3);
  ASSERT_TRUE(ConvertElements(DType::kU8, truth.data(), DType::kBool, bools.data(), 3).ok());
  EXPECT_EQ(bools, (std::vector<uint8_t>{0, 1, 1}));
}

TEST(DType, RefusesWhatDoesNotFit) {
  int64_t large = 1LL << 40;
  int32_t out;
  absl::Status status = ConvertElements(DType::kI64, &large, DType::kI32, &out, 1);
  EXPECT_NE(std::string(status.message()).find("element 0 is 1099511627776"), std::string::npos);
  uint64_t huge = ~0ull;
  int64_t signed_out;
  EXPECT_FALSE(ConvertElements(DType::kU64, &huge, DType::kI64, &signed_out, 1).ok());
  double huge_double;
  ASSERT_TRUE(ConvertElements(DType::kU64, &huge, DType::kF64, &huge_double, 1).ok());
  EXPECT_EQ(huge_double, 0x1p64);
  float one = 1;
  EXPECT_FALSE(ConvertElements(DType::kF32, &one, DType::kI32, &out, 1).ok());
  EXPECT_FALSE(ConvertElements(DType::kF8E4M3, &one, DType::kF32, &out, 1).ok());
}

}  // namespace
}  // namespace ashlar
