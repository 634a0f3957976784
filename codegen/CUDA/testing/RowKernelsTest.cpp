// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Norms and softmax on the emulator against double precision on the host.

#include "codegen/CUDA/testing/KernelFixture.h"
#include "codegen/CUDA/testing/TestKernels.h"
#include "runtime/base/status.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>

namespace ashlar {
namespace {

constexpr float kEpsilon = 1e-5f;

template <typename T>
double tolerance() {
  return sizeof(T) == 4 ? 1e-6 : 4e-3;
}

template <typename T>
void checkNorm(const char *kernel, bool rms, int rows, int columns, int blocks) {
  SCOPED_TRACE(StrCat(kernel, " ", rows, " x ", columns));
  auto x = randomValues<T>(size_t(rows) * columns, 1), gain = randomValues<T>(columns, 2);
  auto bias = randomValues<T>(columns, 3);
  std::vector<T> y(x.size());
  std::vector<double> expected(x.size());
  for (int r = 0; r < rows; ++r) {
    const T *row = &x[size_t(r) * columns];
    double mean = 0, variance = 0;
    for (int c = 0; c < columns && !rms; ++c)
      mean += double(float(row[c])) / columns;
    for (int c = 0; c < columns; ++c)
      variance += std::pow(float(row[c]) - mean, 2) / columns;
    for (int c = 0; c < columns; ++c)
      expected[size_t(r) * columns + c] =
          (float(row[c]) - mean) / std::sqrt(variance + kEpsilon) * float(gain[c]) +
          (rms ? 0 : float(bias[c]));
  }
  TestLaunch test(kRowKernels, kernel, NormBlock{{}, {}, {}, {}, rows, columns, kEpsilon});
  test.operand("x", x, kRead, offsetof(NormBlock, x))
      .operand("gain", gain, kRead, offsetof(NormBlock, gain))
      .operand("y", y, kWrite, offsetof(NormBlock, y))
      .grid(blocks);
  if (!rms)
    test.operand("bias", bias, kRead, offsetof(NormBlock, bias));
  absl::Status status = test.run();
  ASSERT_TRUE(status.ok()) << Message(status);
  EXPECT_LT(relativeError(y, expected), tolerance<T>());
}

TEST(RowKernels, LayerNorm) {
  for (int columns : {1, 3, 64, 100, 511, 512})
    checkNorm<float>("layer_norm_f32", false, 5, columns, 2);
  for (int columns : {8, 77, 768, 1024})
    checkNorm<Bf16>("layer_norm_bf16", false, 3, columns, 3);
}

TEST(RowKernels, RmsNorm) {
  for (int columns : {1, 255, 640, 1024})
    checkNorm<F16>("rms_norm_f16", true, 4, columns, 1);
  for (int columns : {2048, 4095, 4096})
    checkNorm<Bf16>("rms_norm_bf16", true, 2, columns, 2);
}

TEST(RowKernels, RejectsRowsThatDoNotFit) {
  auto x = randomValues<float>(1025, 1), y = x;
  TestLaunch test(kRowKernels, "softmax_f32", SoftmaxBlock{{}, {}, 1, 1025, 1.0f});
  absl::Status status = test.operand("x", x, kRead, offsetof(SoftmaxBlock, x))
                            .operand("y", y, kWrite, offsetof(SoftmaxBlock, y))
                            .run();
  EXPECT_NE(Message(status).find("more columns than its threads hold"), std::string::npos);
}

TEST(RowKernels, NormInPlace) {
  auto x = randomValues<float>(4 * 96, 4), gain = std::vector<float>(96, 1.0f), y = x;
  auto bias = std::vector<float>(96, 0.0f);
  TestLaunch apart(kRowKernels, "layer_norm_f32", NormBlock{{}, {}, {}, {}, 4, 96, kEpsilon});
  apart.operand("x", x, kRead, offsetof(NormBlock, x))
      .operand("gain", gain, kRead, offsetof(NormBlock, gain))
      .operand("bias", bias, kRead, offsetof(NormBlock, bias))
      .operand("y", y, kWrite, offsetof(NormBlock, y))
      .grid(4);
  ASSERT_TRUE(apart.run().ok());
  TestLaunch in_place(kRowKernels, "layer_norm_f32", NormBlock{{}, {}, {}, {}, 4, 96, kEpsilon});
  in_place.operand("x", x, kRead, offsetof(NormBlock, x))
      .operand("gain", gain, kRead, offsetof(NormBlock, gain))
      .operand("bias", bias, kRead, offsetof(NormBlock, bias))
      .operand("y", x, kWrite, offsetof(NormBlock, y))
      .grid(4);
  absl::Status status = in_place.run();
  ASSERT_TRUE(status.ok()) << Message(status);
  EXPECT_EQ(x, y);
}

template <typename T>
void checkSoftmax(const char *kernel, int rows, int columns) {
  SCOPED_TRACE(StrCat(kernel, " ", rows, " x ", columns));
  const float scale = 0.7f;
  auto x = randomValues<T>(size_t(rows) * columns, 5, 3);
  std::vector<T> y(x.size());
  std::vector<double> expected(x.size());
  for (int r = 0; r < rows; ++r) {
    double sum = 0;
    for (int c = 0; c < columns; ++c)
      sum += std::exp(double(scale) * float(x[r * columns + c]));
    for (int c = 0; c < columns; ++c)
      expected[r * columns + c] = std::exp(double(scale) * float(x[r * columns + c])) / sum;
  }
  TestLaunch test(kRowKernels, kernel, SoftmaxBlock{{}, {}, rows, columns, scale});
  absl::Status status = test.operand("x", x, kRead, offsetof(SoftmaxBlock, x))
                            .operand("y", y, kWrite, offsetof(SoftmaxBlock, y))
                            .grid(rows)
                            .run();
  ASSERT_TRUE(status.ok()) << Message(status);
  EXPECT_LT(relativeError(y, expected), tolerance<T>());
}

TEST(RowKernels, Softmax) {
  for (int columns : {1, 2, 31, 128, 513, 1024})
    checkSoftmax<float>("softmax_f32", 3, columns);
  for (int columns : {7, 512, 1000, 1024})
    checkSoftmax<Bf16>("softmax_bf16", 2, columns);
}

} // namespace
} // namespace ashlar
