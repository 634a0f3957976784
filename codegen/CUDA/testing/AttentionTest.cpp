// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention on the emulator against double precision on the host: causal and not, with a past,
// grouped queries, ragged queries and keys.

#include "codegen/CUDA/testing/KernelFixture.h"
#include "codegen/CUDA/testing/TestKernels.h"
#include "runtime/base/status.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace ashlar {
namespace {

struct Kernel {
  const char *name;
  int width, tile_queries;
  bool causal;
};
const Kernel kCausal = {"attention_causal", 64, 64, true};
const Kernel kFull = {"attention_full", 32, 32, false};
const Kernel kWide = {"attention_causal_128", 128, 64, true};

template <typename T>
void check(const Kernel &kernel, int batch, int heads, int keyHeads, int queries, int keys) {
  SCOPED_TRACE(StrCat(kernel.name, ": ", heads, " heads over ", keyHeads, ", ", queries,
                      " queries, ", keys, " keys"));
  const int width = kernel.width;
  auto q = randomValues<T>(size_t(batch) * heads * queries * width, 1);
  auto k = randomValues<T>(size_t(batch) * keyHeads * keys * width, 2);
  auto v = randomValues<T>(k.size(), 3);
  std::vector<T> y(q.size());
  std::vector<double> expected(q.size(), 0.0);
  const float scale = 1 / std::sqrt(float(width));
  for (int row = 0; row < batch * heads * queries; ++row) {
    int query = row % queries, head = row / queries % heads, item = row / queries / heads;
    size_t first = (size_t(item) * keyHeads + head / (heads / keyHeads)) * keys;
    int visible = kernel.causal ? std::clamp(query + keys - queries + 1, 0, keys) : keys;
    std::vector<double> weights(visible);
    double sum = 0;
    for (int j = 0; j < visible; ++j) {
      double score = 0;
      for (int c = 0; c < width; ++c)
        score += double(float(q[size_t(row) * width + c])) * float(k[(first + j) * width + c]);
      sum += weights[j] = std::exp(score * scale);
    }
    for (int j = 0; j < visible; ++j)
      for (int c = 0; c < width; ++c)
        expected[size_t(row) * width + c] += weights[j] / sum * float(v[(first + j) * width + c]);
  }
  TestLaunch test(kAttentionKernels, kernel.name,
                  AttentionBlock{{}, {}, {}, {}, queries, keys, heads, keyHeads, scale});
  absl::Status status =
      test.operand("q", q, kRead, offsetof(AttentionBlock, q))
          .operand("k", k, kRead, offsetof(AttentionBlock, k))
          .operand("v", v, kRead, offsetof(AttentionBlock, v))
          .operand("y", y, kWrite, offsetof(AttentionBlock, y))
          .grid((queries + kernel.tile_queries - 1) / kernel.tile_queries, heads, batch)
          .run();
  ASSERT_TRUE(status.ok()) << Message(status);
  EXPECT_LT(relativeError(y, expected), 6e-3);
}

TEST(Attention, Causal) {
  check<Bf16>(kCausal, 1, 2, 2, 64, 64);
  check<Bf16>(kCausal, 2, 2, 1, 70, 70);
}

TEST(Attention, CausalWithPast) {
  check<Bf16>(kCausal, 1, 4, 2, 5, 133);
  check<Bf16>(kCausal, 1, 2, 1, 1, 65);
}

TEST(Attention, CausalWhereFirstQueriesSeeNothing) { check<Bf16>(kCausal, 1, 1, 1, 66, 3); }

TEST(Attention, FullWithRaggedKeys) {
  check<F16>(kFull, 1, 3, 1, 33, 47);
  check<F16>(kFull, 2, 2, 2, 1, 1);
}

TEST(Attention, WideHeads) { check<Bf16>(kWide, 1, 2, 1, 65, 100); }

} // namespace
} // namespace ashlar
