// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/shard_source.h"

#include "gtest/gtest.h"
#include "runtime/program/cut.h"

namespace ashlar {
namespace {

// [5, 7, 6] over 2 x 3 ranks, every dimension or none of it cut by either axis, or one by both:
// each rank's box, with zeros behind it, element by element and in pieces. Of a whole tensor, and
// of a range of one.
class ShardSources : public testing::TestWithParam<std::vector<int64_t>> {};

TEST_P(ShardSources, GiveEveryRankItsBox) {
  const std::vector<int64_t> shape = {5, 7, 6}, &begin = GetParam();
  const bool is_range = begin != std::vector<int64_t>{0, 0, 0};
  const std::vector<int64_t> stored = is_range ? std::vector<int64_t>{7, 9, 8} : shape;
  std::vector<float> whole(stored[0] * stored[1] * stored[2]);
  for (size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<float>(i + 1);
  auto source = MemorySource(whole.data());
  const fb::Cut axes[] = {{3, 2}, {1, 3}};  // stride, size
  int in_place = 0;
  for (uint32_t first = 0; first < 4; ++first)
    for (uint32_t second = 0; second < 4; ++second) {
      fb::WeightPartT part;
      part.dtype = fb::DType::F32;
      part.whole = stored;
      if (is_range) part.begin = begin, part.range = shape;
      const uint32_t dims[] = {first, second};
      for (int axis : {0, 1})
        if (dims[axis] < 3) part.cut_dims.push_back(dims[axis]), part.cuts.push_back(axes[axis]);
      for (int rank = 0; rank < 6; ++rank) {
        std::vector<CutRange> held;
        part.shape.clear();
        for (uint32_t d = 0; d < 3; ++d) {
          std::vector<fb::Cut> cuts;
          for (size_t i = 0; i < part.cuts.size(); ++i)
            if (part.cut_dims[i] == d) cuts.push_back(part.cuts[i]);
          held.push_back(GetPart(shape[d], cuts, PartOf(cuts, rank)));
          part.shape.push_back(GetPart(shape[d], cuts, 0).size);
        }
        std::vector<float> expected;
        for (int64_t i = 0; i < part.shape[0]; ++i)
          for (int64_t j = 0; j < part.shape[1]; ++j)
            for (int64_t k = 0; k < part.shape[2]; ++k) {
              bool real = i < held[0].size && j < held[1].size && k < held[2].size;
              const int64_t row = begin[0] + held[0].begin + i,
                            column = begin[1] + held[1].begin + j;
              const int64_t at =
                  (row * stored[1] + column) * stored[2] + begin[2] + held[2].begin + k;
              expected.push_back(real ? whole[at] : 0.0f);
            }
        SCOPED_TRACE(testing::Message() << first << " " << second << ", rank " << rank);
        auto reader = ShardSource(*source, rank)->Open(part);
        ASSERT_TRUE(reader.ok());
        for (int64_t piece : {int64_t{1}, int64_t{4}, static_cast<int64_t>(expected.size())}) {
          std::vector<float> found(expected.size(), -1.0f);
          for (size_t at = 0; at < found.size(); at += piece)
            (*reader)->Read(at, std::min<int64_t>(piece, found.size() - at), DType::kF32,
                            found.data() + at);
          ASSERT_EQ(found, expected);
        }
        if (const auto* data = static_cast<const float*>((*reader)->Data(DType::kF32))) {
          EXPECT_EQ(std::vector<float>(data, data + expected.size()), expected);
          ++in_place;
        }
      }
    }
  if (!is_range) EXPECT_GT(in_place, 6);  // whole tensors and rows of them
}

INSTANTIATE_TEST_SUITE_P(All, ShardSources,
                         testing::Values(std::vector<int64_t>{0, 0, 0},
                                         std::vector<int64_t>{0, 2, 2},
                                         std::vector<int64_t>{2, 1, 0}));

// Columns of a matrix, where they lie; rows are converted, or padded, by nobody else.
TEST(ShardSource, LendsRowsOfRanges) {
  const std::vector<float> whole = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  auto source = MemorySource(whole.data());
  fb::WeightPartT part;
  part.dtype = fb::DType::F32;
  part.shape = part.range = {2, 2};
  part.whole = {3, 4};
  part.begin = {1, 2};
  auto reader = ShardSource(*source, 0)->Open(part);
  ASSERT_TRUE(reader.ok());
  int64_t pitch = 0;
  EXPECT_EQ((*reader)->Data(DType::kF32), nullptr);
  EXPECT_EQ((*reader)->Rows(DType::kF32, 2, &pitch), whole.data() + 6);
  EXPECT_EQ(pitch, 4);
  EXPECT_EQ((*reader)->Rows(DType::kBF16, 2, &pitch), nullptr);
  part.cuts.emplace_back(1, 2);  // one row each: the second rank's is the last
  part.cut_dims = {0};
  part.shape = {1, 2};
  reader = ShardSource(*source, 1)->Open(part);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->Rows(DType::kF32, 2, &pitch), whole.data() + 10);
  part.range = {1, 2};  // of which it has none
  reader = ShardSource(*source, 1)->Open(part);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->Rows(DType::kF32, 2, &pitch), nullptr);
}

// The compiler's rule: nested cuts, the first parts one longer.
TEST(Cut, NestsBalancedParts) {
  const std::vector<fb::Cut> cuts = {{2, 2}, {1, 2}};
  std::vector<int64_t> sizes;
  for (int rank = 0; rank < 4; ++rank) sizes.push_back(GetPart(6, cuts, PartOf(cuts, rank)).size);
  EXPECT_EQ(sizes, (std::vector<int64_t>{2, 1, 2, 1}));
  EXPECT_EQ(GroupOf({{2, 2}}, 1), (std::vector<int>{1, 3}));
  EXPECT_EQ(GroupOf({{1, 2}, {2, 2}}, 3), (std::vector<int>{0, 2, 1, 3}));
  EXPECT_EQ(GetPart(3, {{1, 4}}, 3).size, 0);
  EXPECT_EQ(GetPart(3, {{1, 4}}, 3).begin, 3);
}

}  // namespace
}  // namespace ashlar
