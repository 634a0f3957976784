// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The primitives one by one: matrix fragments through the library's coordinate functions against
// the emulator's own, number formats over all their bits, named barriers, mbarriers and bulk
// copies.

#include "codegen/CUDA/testing/KernelFixture.h"
#include "runtime/base/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ashlar {
namespace {

using testing::HasSubstr;

struct Block {
  void *x, *y;
};

constexpr char kText[] = R"(
#include "fragments.h"
using namespace ashlar;

// d = a b of 16 x 16 by 16 x 8 (bf16), and of 16 x 8 by 8 x 8 (tf32), a and b in x.
struct Floats {
  const float *x;
  float *y;
};
ASHLAR_KERNEL(fragments_bf16, 32, Floats, p) {
  uint32 a[4], b[2];
  for (int i = 0; i < 4; ++i)
    a[i] = pack<bf16>(p.x[MmaA::row(lane(), 2 * i) * 16 + MmaA::col(lane(), 2 * i)],
                      p.x[MmaA::row(lane(), 2 * i + 1) * 16 + MmaA::col(lane(), 2 * i + 1)]);
  for (int i = 0; i < 2; ++i)
    b[i] = pack<bf16>(p.x[256 + MmaB::row(lane(), 2 * i) * 8 + MmaB::col(lane(), 2 * i)],
                      p.x[256 + MmaB::row(lane(), 2 * i + 1) * 8 + MmaB::col(lane(), 2 * i + 1)]);
  float d[4] = {0, 0, 0, 0};
  mma_m16n8k16(d, a, b, bf16());
  for (int i = 0; i < 4; ++i) p.y[MmaD::row(lane(), i) * 8 + MmaD::col(lane(), i)] = d[i];
}
ASHLAR_KERNEL(fragments_tf32, 32, Floats, p) {
  uint32 a[4], b[2];
  for (int i = 0; i < 4; ++i)
    a[i] = to_tf32(p.x[MmaTf32A::row(lane(), i) * 8 + MmaTf32A::col(lane(), i)]);
  for (int i = 0; i < 2; ++i)
    b[i] = to_tf32(p.x[256 + MmaTf32B::row(lane(), i) * 8 + MmaTf32B::col(lane(), i)]);
  float d[4] = {0, 0, 0, 0};
  mma_m16n8k8_tf32(d, a, b);
  for (int i = 0; i < 4; ++i) p.y[MmaD::row(lane(), i) * 8 + MmaD::col(lane(), i)] = d[i];
}

// Rounds floats to 16 bits, and back.
struct Rounding {
  const float *x;
  uint16 *y;
};
ASHLAR_KERNEL(round_bf16, 256, Rounding, p) {
  uint32 i = block_x() * 256 + thread_index();
  p.y[i] = round_to<bf16>(p.x[i]).bits;
}
ASHLAR_KERNEL(round_f16, 256, Rounding, p) {
  uint32 i = block_x() * 256 + thread_index();
  p.y[i] = round_to<f16>(p.x[i]).bits;
}
struct Widening {
  const uint16 *x;
  float *y;
};
ASHLAR_KERNEL(widen_f16, 256, Widening, p) {
  uint32 i = block_x() * 256 + thread_index();
  p.y[i] = to_float(f16{p.x[i]});
}

// Four 8 x 8 matrices of the numbers 0 to 255, read by every form of ldmatrix: y holds, per form and
// register, the two halves of each lane.
struct Matrices {
  alignas(16) uint16 element[4][64];
};
struct Halves {
  const float *x;
  uint32 *y;
};
ASHLAR_KERNEL(ldmatrix_forms, 32, Halves, p) {
  auto &space = shared<Matrices>();
  for (int m = 0; m < 4; ++m)
    for (int i = lane(); i < 64; i += 32) space.element[m][i] = 64 * m + i;
  warp_sync();
  const void *row = &space.element[lane() / 8][lane() % 8 * 8];
  uint32 four[4], two[2];
  ldmatrix_x4(four, row);
  for (int i = 0; i < 4; ++i) p.y[i * 32 + lane()] = four[i];
  ldmatrix_x4_transposed(four, row);
  for (int i = 0; i < 4; ++i) p.y[(4 + i) * 32 + lane()] = four[i];
  ldmatrix_x2(two, row);
  for (int i = 0; i < 2; ++i) p.y[(8 + i) * 32 + lane()] = two[i];
  ldmatrix_x2_transposed(two, row);
  for (int i = 0; i < 2; ++i) p.y[(10 + i) * 32 + lane()] = two[i];
}

ASHLAR_KERNEL(atomics, 64, Halves, p) {
  uint32 t = thread_index();
  atomic_add(&p.y[0], t);
  atomic_max(&p.y[1], t);
  atomic_min(&p.y[2], 100 - t);
  if (t == 40) atomic_exchange(&p.y[3], 7u);
  if (t == 41) atomic_compare_swap(&p.y[4], 5u, 6u);
  if (t == 42) atomic_compare_swap(&p.y[5], 5u, 6u);
  uint32 odd = ballot(t % 2 == 1);
  uint32 low = lane() < 8 ? ballot(lane() != 3, 0xffu) : 0u;
  if (t == 0) p.y[6] = odd, p.y[7] = low;
}

ASHLAR_KERNEL(functions, 32, Floats, p) {
  float x = p.x[lane()];
  float values[9] = {exp(x), exp2(x), log(x), tanh(x), erf(x), sin(x), cos(x), sqrt(x), rsqrt(x)};
  for (int i = 0; i < 9; ++i) p.y[i * 32 + lane()] = values[i];
  p.y[9 * 32 + lane()] = max(x, 1.0f) - min(x, 1.0f) + fma(x, 2.0f, 1.0f);
}

// Warp 0 produces for warp 1 through named barriers: 1 is "full", 2 is "empty".
struct Handover {
  float value[32];
};
ASHLAR_KERNEL(named, 64, Floats, p) {
  auto &slot = shared<Handover>();
  for (int round = 0; round < 8; ++round) {
    if (warp() == 0) {
      if (round > 0) named_sync(2, 64);
      slot.value[lane()] = p.x[round * 32 + lane()];
      named_arrive(1, 64);
    } else {
      named_sync(1, 64);
      p.y[round * 32 + lane()] = slot.value[31 - lane()];
      if (round < 7) named_arrive(2, 64);
    }
  }
}
)";

template <typename T, typename U>
absl::Status run(const char *kernel, std::vector<T> &x, std::vector<U> &y, uint32_t grid = 1) {
  TestLaunch test(kText, kernel, Block{});
  return test.operand("x", x, kRead, 0).operand("y", y, kWrite, 8).grid(grid).shared(1024).run();
}

TEST(Primitives, MatrixFragments) {
  for (int depth : {16, 8}) {
    // Whole numbers up to 8: every product is exact.
    std::vector<float> x(384), y(128);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = float(int(i * 7 % 17) - 8);
    absl::Status status = run(depth == 16 ? "fragments_bf16" : "fragments_tf32", x, y);
    ASSERT_TRUE(status.ok()) << Message(status);
    for (int r = 0; r < 16; ++r)
      for (int c = 0; c < 8; ++c) {
        float sum = 0;
        for (int k = 0; k < depth; ++k)
          sum += x[r * depth + k] * x[256 + k * 8 + c];
        EXPECT_EQ(y[r * 8 + c], sum) << r << ", " << c << " of depth " << depth;
      }
  }
}

TEST(Primitives, RoundsToBf16AndF16) {
  std::vector<float> x;
  // All exponents; fractions around the ties of both formats.
  for (uint32_t exponent = 0; exponent < 255; ++exponent)
    for (uint32_t fraction : {0u, 1u, 0x0fffu, 0x1000u, 0x1001u, 0x3000u, 0x7fffu, 0x8000u, 0x8001u,
                              0x18000u, 0x7fffffu, 0x7ff000u, 0x7fefffu})
      for (uint32_t sign : {0u, 1u}) {
        uint32_t bits = sign << 31 | exponent << 23 | fraction;
        float value;
        std::memcpy(&value, &bits, 4);
        x.push_back(value);
      }
  x.push_back(INFINITY);
  while (x.size() % 256)
    x.push_back(-INFINITY);
  std::vector<uint16_t> y(x.size());
  ASSERT_TRUE(run("round_bf16", x, y, x.size() / 256).ok());
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(y[i], Bf16(x[i]).bits) << x[i];
  ASSERT_TRUE(run("round_f16", x, y, x.size() / 256).ok());
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(y[i], F16(x[i]).bits) << x[i];
}

TEST(Primitives, WidensEveryF16) {
  std::vector<uint16_t> x(65536);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<uint16_t>(i);
  std::vector<float> y(x.size());
  ASSERT_TRUE(run("widen_f16", x, y, 256).ok());
  for (size_t i = 0; i < x.size(); ++i) {
    F16 value;
    value.bits = x[i];
    if (std::isnan(float(value)))
      EXPECT_TRUE(std::isnan(y[i]));
    else
      EXPECT_EQ(y[i], float(value));
  }
}

TEST(Primitives, EveryFormOfLdmatrix) {
  std::vector<float> x(1);
  std::vector<uint32_t> y(12 * 32);
  absl::Status status = run("ldmatrix_forms", x, y);
  ASSERT_TRUE(status.ok()) << Message(status);
  for (int form = 0; form < 12; ++form)
    for (uint32_t lane = 0; lane < 32; ++lane) {
      uint32_t matrix = form < 8 ? form % 4 : form % 2, row = lane / 4, column = lane % 4 * 2;
      bool transposed = (form >= 4 && form < 8) || form >= 10;
      uint32_t step = transposed ? 8 : 1;
      uint32_t first = 64 * matrix + (transposed ? column * 8 + row : row * 8 + column);
      EXPECT_EQ(y[form * 32 + lane], first | (first + step) << 16) << form << ", lane " << lane;
    }
}

TEST(Primitives, AtomicsAndBallots) {
  std::vector<float> x(1);
  std::vector<uint32_t> y = {1, 50, 1000, 2, 5, 4, 0, 0};
  TestLaunch test(kText, "atomics", Block{});
  absl::Status status = test.operand("x", x, kRead, 0).operand("y", y, kReadWrite, 8).run();
  ASSERT_TRUE(status.ok()) << Message(status);
  EXPECT_THAT(y, testing::ElementsAre(1 + 63 * 32, 63, 37, 7, 6, 4, 0xaaaaaaaau, 0xf7u));
}

TEST(Primitives, Functions) {
  std::vector<float> x(32), y(320);
  for (int i = 0; i < 32; ++i)
    x[i] = 0.1f + 0.13f * i;
  absl::Status status = run("functions", x, y);
  ASSERT_TRUE(status.ok()) << Message(status);
  for (int i = 0; i < 32; ++i) {
    double v = x[i];
    double expected[] = {
        std::exp(v), std::exp2(v), std::log(v),  std::tanh(v),     std::erf(v),
        std::sin(v), std::cos(v),  std::sqrt(v), 1 / std::sqrt(v), std::fabs(v - 1) + 2 * v + 1};
    for (int f = 0; f < 10; ++f)
      EXPECT_NEAR(y[f * 32 + i], expected[f], 1e-6 * (1 + std::fabs(expected[f])));
  }
}

TEST(Primitives, NamedBarriersHandOver) {
  auto x = randomValues<float>(256, 1);
  std::vector<float> y(256);
  absl::Status status = run("named", x, y);
  ASSERT_TRUE(status.ok()) << Message(status);
  for (int i = 0; i < 256; ++i)
    EXPECT_EQ(y[i], x[i / 32 * 32 + 31 - i % 32]);
}

} // namespace
} // namespace ashlar
