// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed weights against the layouts' definitions, element by element, for sizes around the
// panels'.
#include "runtime/memory/weight_packer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "runtime/base/math.h"
#include "runtime/device/cpu/thread_pool.h"
#include "runtime/memory/random.h"
#include "runtime/program/verify_program.h"

namespace ashlar {
namespace {

std::unique_ptr<fb::WeightPartT> Part(const std::string& name, fb::DType dtype,
                                      std::vector<int64_t> shape, bool transposed) {
  auto part = std::make_unique<fb::WeightPartT>();
  part->tensor = name;
  part->dtype = dtype;
  part->shape = std::move(shape);
  part->transposed = transposed;
  part->init = fb::Init::Normal;
  part->scale = 0.25f;
  return part;
}

fb::ProgramT WithWeight(fb::DType dtype, fb::Layout layout, std::vector<int64_t> shape,
                        std::vector<std::unique_ptr<fb::WeightPartT>> parts) {
  fb::ProgramT program;
  auto weight = std::make_unique<fb::WeightT>();
  weight->name = "w";
  weight->dtype = dtype;
  weight->layout = layout;
  weight->shape = std::move(shape);
  weight->offset = 64;
  weight->parts = std::move(parts);
  EXPECT_TRUE(WeightBytes(*weight, &weight->bytes));
  program.weights_bytes = weight->offset + weight->bytes + 5;
  program.weights.push_back(std::move(weight));
  program.weight_source = fb::WeightSource::Random;
  EXPECT_TRUE(VerifyProgram(program, {}).ok()) << VerifyProgram(program, {});
  return program;
}

std::string Pack(const fb::ProgramT& program, uint64_t seed, int threads) {
  ThreadPool pool(threads);
  std::string region;
  auto sink = [&](std::string_view bytes) {
    region += bytes;
    return absl::OkStatus();
  };
  EXPECT_TRUE(PackWeights(program, *RandomSource(seed), pool, sink).ok());
  EXPECT_EQ(region.size(), program.weights_bytes);
  EXPECT_EQ(region.substr(0, 64), std::string(64, '\0'));
  EXPECT_EQ(region.substr(region.size() - 5), std::string(5, '\0'));
  return region.substr(64, region.size() - 69);
}

// What element (k, n) of a panel weight made of `parts` is, before conversion to the weight's
// dtype.
float Element(const fb::ProgramT& program, uint64_t seed, int64_t k, int64_t n) {
  for (const auto& part : program.weights[0]->parts) {
    int64_t columns = part->shape[part->transposed ? 0 : 1];
    if (n >= columns) {
      n -= columns;
      continue;
    }
    int64_t index = part->transposed ? n * part->shape[1] + k : k * part->shape[1] + n;
    float value = RandomNormal(RandomKey(seed, part->tensor), index) * part->scale;
    if (part->dtype == fb::DType::BF16) return BF16ToF32(F32ToBF16(value));
    if (part->dtype == fb::DType::F16) return F16ToF32(F32ToF16(value));
    return value;
  }
  return 0;  // padding
}

std::vector<std::unique_ptr<fb::WeightPartT>> ThreeParts(int64_t K, int64_t N) {
  std::vector<std::unique_ptr<fb::WeightPartT>> parts;
  int64_t a = N / 2, b = N / 5;
  parts.push_back(Part("a", fb::DType::F32, {a, K}, true));
  parts.push_back(Part("b", fb::DType::BF16, {K, b}, false));
  parts.push_back(Part("c", fb::DType::F16, {N - a - b, K}, true));
  return parts;
}

TEST(WeightPacker, PanelsOfF32) {
  for (int64_t K : {1, 2, 63, 65, 514})
    for (int64_t N : {1, 7, 31, 32, 33, 100, 300, 777}) {
      fb::ProgramT program =
          WithWeight(fb::DType::F32, fb::Layout::PanelF32, {K, N}, ThreeParts(K, N));
      std::string packed = Pack(program, 9, 2);
      ASSERT_EQ(packed.size(), static_cast<size_t>(RoundUp<int64_t>(N, 32) * K * 4));
      for (int64_t n = 0; n < RoundUp<int64_t>(N, 32); ++n)
        for (int64_t k = 0; k < K; ++k) {
          float value;
          std::memcpy(&value, packed.data() + ((n / 32 * K + k) * 32 + n % 32) * 4, 4);
          ASSERT_EQ(value, Element(program, 9, k, n))
              << "K " << K << " N " << N << " at " << k << ", " << n;
        }
    }
}

TEST(WeightPacker, PanelsOfBF16) {
  for (int64_t K : {1, 2, 64, 65, 1029})
    for (int64_t N : {1, 15, 16, 17, 33, 100, 300, 555}) {
      fb::ProgramT program =
          WithWeight(fb::DType::BF16, fb::Layout::PanelBF16, {K, N}, ThreeParts(K, N));
      std::string packed = Pack(program, 4, 2);
      int64_t padded_k = RoundUp<int64_t>(K, 2), padded_n = RoundUp<int64_t>(N, 32);
      ASSERT_EQ(packed.size(), static_cast<size_t>(padded_n * padded_k * 2));
      for (int64_t n = 0; n < padded_n; ++n)
        for (int64_t k = 0; k < padded_k; ++k) {
          uint16_t value;
          std::memcpy(
              &value,
              packed.data() + ((n / 16 * (padded_k / 2) + k / 2) * 32 + n % 16 * 2 + k % 2) * 2, 2);
          ASSERT_EQ(value, k < K ? F32ToBF16(Element(program, 4, k, n)) : 0)
              << K << " " << N << " " << k << " " << n;
        }
    }
}

TEST(WeightPacker, PlainPartsOneAfterTheOther) {
  // Larger than a unit of work, so that units begin inside parts.
  std::vector<std::unique_ptr<fb::WeightPartT>> parts;
  parts.push_back(Part("a", fb::DType::F32, {300, 301}, false));
  parts.push_back(Part("b", fb::DType::F16, {77, 301}, false));
  fb::ProgramT program =
      WithWeight(fb::DType::BF16, fb::Layout::Plain, {377, 301}, std::move(parts));
  std::string packed = Pack(program, 2, 3);
  for (int64_t i = 0; i < 377 * 301; ++i) {
    bool in_a = i < 300 * 301;
    float value = RandomNormal(RandomKey(2, in_a ? "a" : "b"), in_a ? i : i - 300 * 301) * 0.25f;
    if (!in_a) value = F16ToF32(F32ToF16(value));
    uint16_t bits;
    std::memcpy(&bits, packed.data() + 2 * i, 2);
    ASSERT_EQ(bits, F32ToBF16(value)) << i;
  }
}

TEST(WeightPacker, PlainPartsStoredTheOtherWayRound) {
  // Units begin inside rows of [N, K].
  const int64_t K = 301, sizes[] = {300, 77};
  std::vector<std::unique_ptr<fb::WeightPartT>> parts;
  parts.push_back(Part("a", fb::DType::F32, {K, sizes[0]}, true));
  parts.push_back(Part("b", fb::DType::BF16, {K, sizes[1]}, true));
  fb::ProgramT program = WithWeight(fb::DType::F32, fb::Layout::Plain, {377, K}, std::move(parts));
  std::string packed = Pack(program, 2, 3);
  ASSERT_EQ(packed.size(), static_cast<size_t>(377 * K * 4));
  for (int64_t n = 0; n < 377; ++n)
    for (int64_t k = 0; k < K; ++k) {
      bool in_a = n < sizes[0];
      int64_t from = in_a ? k * sizes[0] + n : k * sizes[1] + n - sizes[0];
      float expected = RandomNormal(RandomKey(2, in_a ? "a" : "b"), from) * 0.25f, found;
      if (!in_a) expected = BF16ToF32(F32ToBF16(expected));
      std::memcpy(&found, packed.data() + (n * K + k) * 4, 4);
      ASSERT_EQ(found, expected) << n << ", " << k;
    }
}

// What lies in memory in the kernels' own type is packed in ways of its own.
TEST(WeightPacker, FromMemoryAsFromAnywhere) {
  std::vector<uint32_t> words(300 * 300);
  for (size_t i = 0; i < words.size(); ++i) words[i] = static_cast<uint32_t>(i * 2654435761u);
  for (fb::DType dtype : {fb::DType::F32, fb::DType::BF16})
    for (int64_t K : {2, 7, 64, 300})
      for (int64_t N : {16, 31, 32, 64, 160, 288, 299})
        for (bool transposed : {false, true}) {
          std::vector<std::unique_ptr<fb::WeightPartT>> parts;
          std::vector<int64_t> shape = transposed ? std::vector<int64_t>{N, K} : std::vector{K, N};
          parts.push_back(Part("a", dtype, shape, transposed));
          bool f32 = dtype == fb::DType::F32;
          fb::ProgramT program = WithWeight(
              dtype, f32 ? fb::Layout::PanelF32 : fb::Layout::PanelBF16, {K, N}, std::move(parts));
          ThreadPool pool(2);
          std::string region;
          ASSERT_TRUE(
              PackWeights(program, *MemorySource(words.data()), pool, [&](std::string_view bytes) {
                region += bytes;
                return absl::OkStatus();
              }).ok());
          const char* panels = region.data() + 64;
          auto stored = reinterpret_cast<const char*>(words.data());
          int64_t size = f32 ? 4 : 2, pairs = (K + 1) / 2;
          for (int64_t n = 0; n < N; ++n)
            for (int64_t k = 0; k < K; ++k) {
              int64_t at = f32 ? (n / 32 * K + k) * 32 + n % 32
                               : (n / 16 * pairs + k / 2) * 32 + n % 16 * 2 + k % 2;
              int64_t from = transposed ? n * K + k : k * N + n;
              ASSERT_EQ(std::memcmp(panels + at * size, stored + from * size, size), 0)
                  << K << " " << N << " " << transposed << " at " << k << ", " << n;
            }
        }
}

TEST(WeightPacker, TheSameForEveryNumberOfThreads) {
  fb::ProgramT program =
      WithWeight(fb::DType::F32, fb::Layout::PanelF32, {130, 1000}, ThreeParts(130, 1000));
  std::string expected = Pack(program, 1, 1);
  EXPECT_EQ(Pack(program, 1, 2), expected);
  EXPECT_EQ(Pack(program, 1, 5), expected);
  EXPECT_NE(Pack(program, 2, 1), expected);
}

TEST(WeightPacker, StreamsThroughASmallBuffer) {
  // Three weights that end off the alignment, each larger than the buffer.
  fb::ProgramT program;
  uint64_t offset = 0;
  for (auto [layout, N] : {std::pair<fb::Layout, int64_t>{fb::Layout::Plain, 301},
                           {fb::Layout::PanelF32, 600},
                           {fb::Layout::Plain, 77}}) {
    std::vector<std::unique_ptr<fb::WeightPartT>> parts;
    parts.push_back(Part("p" + std::to_string(N), fb::DType::F32, {65, N}, false));
    fb::ProgramT one = WithWeight(fb::DType::F32, layout, {65, N}, std::move(parts));
    one.weights[0]->offset = offset;
    offset = RoundUp<uint64_t>(offset + one.weights[0]->bytes, 64);
    program.weights_bytes = one.weights[0]->offset + one.weights[0]->bytes;
    program.weights.push_back(std::move(one.weights[0]));
  }
  auto pack = [&](uint64_t buffer, int* pieces) {
    ThreadPool pool(2);
    std::string region;
    *pieces = 0;
    auto sink = [&](std::string_view bytes) {
      region += bytes;
      ++*pieces;
      return absl::OkStatus();
    };
    EXPECT_TRUE(PackWeights(program, *RandomSource(1), pool, sink, buffer).ok());
    return region;
  };
  int one, many;
  std::string expected = pack(1 << 30, &one);
  EXPECT_EQ(expected.size(), program.weights_bytes);
  EXPECT_EQ(one, 1);
  for (uint64_t buffer : {1, 1000, 200000}) {
    EXPECT_TRUE(pack(buffer, &many) == expected);
    EXPECT_GE(many, 2);
  }
}

TEST(WeightPacker, InitOfOnesAndIntegers) {
  std::vector<std::unique_ptr<fb::WeightPartT>> parts;
  parts.push_back(Part("ones", fb::DType::I64, {3}, false));
  parts.push_back(Part("zeros", fb::DType::I64, {2}, false));
  parts[0]->init = fb::Init::Ones;
  parts[1]->init = fb::Init::Zeros;
  std::string packed =
      Pack(WithWeight(fb::DType::I64, fb::Layout::Plain, {5}, std::move(parts)), 1, 1);
  int64_t values[5];
  std::memcpy(values, packed.data(), sizeof(values));
  EXPECT_EQ((std::vector<int64_t>(values, values + 5)), (std::vector<int64_t>{1, 1, 1, 0, 0}));
}

}  // namespace
}  // namespace ashlar
