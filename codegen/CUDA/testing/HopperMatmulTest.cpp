// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The wgmma and bulk copy pipeline on the emulator against double precision on the host.

#include "codegen/CUDA/testing/KernelFixture.h"
#include "codegen/CUDA/testing/TestKernels.h"
#include "runtime/base/status.h"

#include <gtest/gtest.h>

#include <cstddef>

namespace ashlar {
namespace {

void check(const char *kernel, int tileN, int m, int n, int k) {
  SCOPED_TRACE(StrCat(kernel, " ", m, " x ", n, " x ", k));
  auto a = randomValues<Bf16>(size_t(m) * k, 1), b = randomValues<Bf16>(size_t(n) * k, 2);
  std::vector<Bf16> y(size_t(m) * n);
  std::vector<double> expected(y.size(), 0.0);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j)
      for (int l = 0; l < k; ++l)
        expected[size_t(i) * n + j] +=
            0.5 * float(a[size_t(i) * k + l]) * float(b[size_t(j) * k + l]);
  TestLaunch test(kHopperKernels, kernel, HopperMatmulBlock{{}, {}, {}, m, n, k});
  test.operand("a", a, kRead, emulator::kNoParameter)
      .operand("b", b, kRead, emulator::kNoParameter)
      .operand("y", y, kWrite, offsetof(HopperMatmulBlock, y))
      .grid((n + tileN - 1) / tileN, (m + 127) / 128);
  auto map = [&](size_t offset, int operand, int rows, int boxRows) {
    emulator::TensorMapParameter parameter;
    parameter.parameter_offset = offset;
    parameter.operand = operand;
    parameter.rows = rows;
    parameter.columns = k;
    parameter.row_stride = k * 2;
    parameter.box_rows = boxRows;
    parameter.box_columns = 64;
    test.launch.tensor_maps.push_back(parameter);
  };
  map(offsetof(HopperMatmulBlock, a), 0, m, 128);
  map(offsetof(HopperMatmulBlock, b), 1, n, tileN);
  absl::Status status = test.run();
  ASSERT_TRUE(status.ok()) << Message(status);
  EXPECT_LT(relativeError(y, expected), 4e-3);
}

TEST(HopperMatmul, WholeTiles) { check("matmul_hopper_128", 128, 128, 128, 384); }

TEST(HopperMatmul, Ragged) {
  check("matmul_hopper_64", 64, 130, 71, 72);
  check("matmul_hopper_64", 64, 1, 64, 8);
  check("matmul_hopper_128", 128, 70, 200, 328);
  check("matmul_hopper_256", 256, 128, 264, 264);
}

} // namespace
} // namespace ashlar
