// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/memory/shard_source.h"

#include "gtest/gtest.h"
#include "runtime/program/cut.h"

namespace ashlar {
namespace {

// [5, 7, 6] over 2 x 3 ranks, every dimension or none of it cut by either axis, or one by both:
// each rank's box, with zeros behind it, element by element and in pieces.
TEST(ShardSource, GivesEveryRankItsBox) {
  const std::vector<int64_t> shape = {5, 7, 6};
  std::vector<float> whole(5 * 7 * 6);
  for (size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<float>(i + 1);
  auto source = MemorySource(whole.data());
  const fb::Cut axes[] = {{3, 2}, {1, 3}};  // stride, size
  int in_place = 0;
  for (uint32_t first = 0; first < 4; ++first)
    for (uint32_t second = 0; second < 4; ++second) {
      fb::WeightPartT part;
      part.dtype = fb::DType::F32;
      part.whole = shape;
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
              int64_t at = ((held[0].begin + i) * 7 + held[1].begin + j) * 6 + held[2].begin + k;
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
  EXPECT_GT(in_place, 6);  // whole tensors and rows of them
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
