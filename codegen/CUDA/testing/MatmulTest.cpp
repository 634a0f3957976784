// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products on the emulator against double precision on the host, over ragged shapes.

#include "codegen/CUDA/testing/KernelFixture.h"
#include "codegen/CUDA/testing/TestKernels.h"
#include "runtime/base/status.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>

namespace ashlar {
namespace {

struct Kernel {
  const char *name;
  int tile_m, tile_n;
  bool columns; // b is n x k
  bool silu;
};

const Kernel kWide = {"matmul_bf16", 128, 128, false, false};
const Kernel kTurned = {"matmul_bf16_columns", 64, 64, true, true};
const Kernel kHalf = {"matmul_f16", 64, 128, false, false};

template <typename T>
void check(const Kernel &kernel, int m, int n, int k) {
  SCOPED_TRACE(StrCat(kernel.name, " ", m, " x ", n, " x ", k));
  auto a = randomValues<T>(size_t(m) * k, 1), b = randomValues<T>(size_t(k) * n, 2);
  std::vector<T> y(size_t(m) * n);
  std::vector<double> expected(y.size());
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int l = 0; l < k; ++l)
        sum += double(float(a[i * k + l])) *
               float(kernel.columns ? b[size_t(j) * k + l] : b[size_t(l) * n + j]);
      expected[size_t(i) * n + j] = kernel.silu ? sum / (1 + std::exp(-sum)) : sum;
    }
  TestLaunch test(kMatmulKernels, kernel.name, MatmulBlock{{}, {}, {}, m, n, k});
  absl::Status status =
      test.operand("a", a, kRead, offsetof(MatmulBlock, a))
          .operand("b", b, kRead, offsetof(MatmulBlock, b))
          .operand("y", y, kWrite, offsetof(MatmulBlock, y))
          .grid((n + kernel.tile_n - 1) / kernel.tile_n, (m + kernel.tile_m - 1) / kernel.tile_m)
          .run();
  ASSERT_TRUE(status.ok()) << Message(status);
  EXPECT_LT(relativeError(y, expected), 4e-3);
}

TEST(Matmul, WholeTiles) { check<Bf16>(kWide, 128, 256, 96); }

TEST(Matmul, RaggedRows) {
  check<Bf16>(kWide, 130, 136, 40);
  check<Bf16>(kTurned, 65, 72, 136);
  check<F16>(kHalf, 1, 264, 48);
}

TEST(Matmul, RowsThatAreNotAligned) {
  check<Bf16>(kWide, 5, 33, 17);
  check<Bf16>(kTurned, 66, 7, 65);
  check<F16>(kHalf, 70, 129, 31);
}

TEST(Matmul, ShallowProducts) {
  check<Bf16>(kTurned, 64, 64, 1);
  check<F16>(kHalf, 3, 8, 8);
}

} // namespace
} // namespace ashlar
