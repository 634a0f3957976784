// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/communicator/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace ashlar {
namespace {

// Large enough to be written past the cache, at an odd place too.
TEST(Reduce, WritesTheRangeAndNothingElse) {
  const int64_t count = 200'003;
  std::vector<float> a(count), b(count), out(count + 2, -1.0f);
  for (int64_t i = 0; i < count; ++i) a[i] = static_cast<float>(i), b[i] = 0.5f;
  for (int64_t begin : {int64_t{0}, int64_t{1}, int64_t{4099}}) {
    std::fill(out.begin(), out.end(), -1.0f);
    ReduceElements(DType::kF32, Reduction::kSum, {a.data(), b.data()}, {out.data() + 1}, begin,
                   count - 2);
    for (int64_t i = 0; i < count; ++i)
      ASSERT_EQ(out[i + 1], i >= begin && i < count - 2 ? a[i] + b[i] : -1.0f) << i;
  }
}

// Three inputs, two of them outputs too, whole blocks and a tail: as one element at a time.
template <typename T>
void ExpectElementwise(DType dtype) {
  const int64_t count = 71;
  for (Reduction reduction : {Reduction::kSum, Reduction::kMax, Reduction::kMin}) {
    std::vector<T> a(count), b(count), c(count), expected(count);
    for (int64_t i = 0; i < count; ++i) {
      a[i] = static_cast<T>(i % 7), b[i] = static_cast<T>(i % 5), c[i] = static_cast<T>(i % 3);
      expected[i] = reduction == Reduction::kSum   ? static_cast<T>(a[i] + b[i] + c[i])
                    : reduction == Reduction::kMax ? std::max({a[i], b[i], c[i]})
                                                   : std::min({a[i], b[i], c[i]});
    }
    ReduceElements(dtype, reduction, {a.data(), b.data(), c.data()}, {a.data(), c.data()}, 0,
                   count);
    EXPECT_EQ(a, expected);
    EXPECT_EQ(c, expected);
  }
}

TEST(Reduce, IsElementwiseInPlace) {
  ExpectElementwise<float>(DType::kF32);
  ExpectElementwise<double>(DType::kF64);
  ExpectElementwise<int64_t>(DType::kI64);
  ExpectElementwise<int32_t>(DType::kI32);
  ExpectElementwise<int8_t>(DType::kI8);
  ExpectElementwise<uint8_t>(DType::kU8);
}

// 1 + 2^-8 + 2^-8 in bf16: term by term the small ones are lost, in f32 they are not.
TEST(Reduce, RoundsOnce) {
  const uint16_t one = F32ToBF16(1.0f), small = F32ToBF16(0x1p-8f);
  uint16_t sum = 0;
  ReduceElements(DType::kBF16, Reduction::kSum, {&one, &small, &small}, {&sum}, 0, 1);
  EXPECT_EQ(BF16ToF32(sum), 1.0f + 0x1p-7f);
  const uint16_t half_one = F32ToF16(1.0f), half_small = F32ToF16(0x1p-11f);
  ReduceElements(DType::kF16, Reduction::kSum, {&half_one, &half_small, &half_small}, {&sum}, 0, 1);
  EXPECT_EQ(F16ToF32(sum), 1.0f + 0x1p-10f);
}

TEST(Reduce, WrapsIntegersAround) {
  const int32_t most = std::numeric_limits<int32_t>::max(), one = 1;
  int32_t sum = 0;
  ReduceElements(DType::kI32, Reduction::kSum, {&most, &one}, {&sum}, 0, 1);
  EXPECT_EQ(sum, std::numeric_limits<int32_t>::min());
}

TEST(Reduce, TakesInfinitiesAsExtremes) {
  const float low = -INFINITY, one = 1.0f;
  float result = 0;
  ReduceElements(DType::kF32, Reduction::kMax, {&low, &one, &low}, {&result}, 0, 1);
  EXPECT_EQ(result, 1.0f);
  ReduceElements(DType::kF32, Reduction::kMin, {&one, &low}, {&result}, 0, 1);
  EXPECT_EQ(result, -INFINITY);
}

}  // namespace
}  // namespace ashlar
