// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementwise chains on the emulator: lengths around the vector's width and around whole grids.

#include "codegen/CUDA/testing/KernelFixture.h"
#include "codegen/CUDA/testing/TestKernels.h"
#include "runtime/base/status.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>

namespace ashlar {
namespace {

template <typename T>
void check(const char *kernel, int64_t count, int blocks, double tolerance) {
  SCOPED_TRACE(StrCat(kernel, " of ", count));
  auto x = randomValues<T>(count, 1), factor = randomValues<T>(count, 2);
  std::vector<T> y(count);
  std::vector<double> expected(count);
  for (int64_t i = 0; i < count; ++i) {
    double v = float(x[i]);
    expected[i] = 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))) * float(factor[i]);
  }
  TestLaunch test(kElementwiseKernels, kernel, ElementwiseBlock{{}, {}, count});
  absl::Status status = test.operand("x", x, kRead, offsetof(ElementwiseBlock, x))
                            .operand("factor", factor, kRead, offsetof(ElementwiseBlock, x) + 8)
                            .operand("y", y, kWrite, offsetof(ElementwiseBlock, y))
                            .grid(blocks)
                            .run();
  ASSERT_TRUE(status.ok()) << Message(status);
  EXPECT_LT(relativeError(y, expected), tolerance);
}

TEST(Elementwise, AnyLength) {
  for (int64_t count : {1, 3, 4, 5, 127, 4096, 10007})
    check<float>("gelu_times_f32", count, 2, 1e-6);
  for (int64_t count : {1, 7, 8, 9, 2048, 5001})
    check<F16>("gelu_times_f16", count, 3, 1e-3);
  for (int64_t count : {1, 7, 8, 9, 2048, 5001})
    check<Bf16>("gelu_times_bf16", count, 1, 4e-3);
}

} // namespace
} // namespace ashlar
