// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialects/Dist/Sharding.h"
#include "dialects/Dist/Reshard.h"
#include "gtest/gtest.h"

#include <random>

namespace ashlar::dist {
namespace {

Mesh mesh(std::vector<std::pair<std::string, int64_t>> axes, llvm::StringRef topology = "host") {
  auto made = makeMesh(axes, topology);
  EXPECT_TRUE(bool(made));
  return *made;
}

Sharding parse(llvm::StringRef text, const Mesh &mesh) {
  auto sharding = parseSharding(text, mesh);
  EXPECT_TRUE(bool(sharding)) << text.str() << ": " << llvm::toString(sharding.takeError());
  return *sharding;
}

std::string errorOf(llvm::StringRef text, const Mesh &mesh) {
  auto sharding = parseSharding(text, mesh);
  return sharding ? "" : llvm::toString(sharding.takeError());
}

TEST(Mesh, FindsGroupsAndPlaces) {
  Mesh m = mesh({{"dp", 2}, {"tp", 4}});
  EXPECT_EQ(m.getRankCount(), 8);
  EXPECT_EQ(m.getGroup(5, m.getWhole("tp")), (std::vector<int64_t>{4, 5, 6, 7}));
  EXPECT_EQ(m.getGroup(5, m.getWhole("dp")), (std::vector<int64_t>{1, 5}));
  EXPECT_EQ(m.getGroup(5, Axis{"tp", 1, 2}), (std::vector<int64_t>{5, 7}));
  EXPECT_EQ(m.getGroup(5, Axis{"tp", 2, 2}), (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(m.getGroup(0, {m.getWhole("tp"), m.getWhole("dp")}),
            (std::vector<int64_t>{0, 4, 1, 5, 2, 6, 3, 7}));
  EXPECT_EQ(m.getIndex(6, {m.getWhole("tp"), m.getWhole("dp")}), 5);
}

TEST(Mesh, KnowsTopologies) {
  Mesh m = mesh({{"dp", 4}, {"tp", 8}}, "nvlink-ib");
  EXPECT_EQ(m.find("tp")->bandwidth, 4.5e11);
  EXPECT_EQ(m.find("dp")->bandwidth, 5e10);
  auto unknown = makeMesh({{"tp", 2}}, "tokens");
  EXPECT_EQ(llvm::toString(unknown.takeError()),
            "topology 'tokens' is unknown; known are host, nvlink, nvlink-ib");
  auto large = makeMesh({{"tp", 16}}, "nvlink");
  EXPECT_EQ(llvm::toString(large.takeError()), "topology 'nvlink' has 8 ranks, the mesh more");
}

TEST(Sharding, CutsEvenlyWithLongerPartsFirst) {
  Mesh m = mesh({{"dp", 2}, {"tp", 4}});
  std::vector<int64_t> sizes;
  for (int64_t rank = 0; rank < 4; ++rank)
    sizes.push_back(getShard(10, m, m.getWhole("tp"), rank).size);
  EXPECT_EQ(sizes, (std::vector<int64_t>{3, 3, 2, 2}));
  EXPECT_EQ(getShard(3, m, m.getWhole("tp"), 3).size, 0);
  // Every element is held by one rank, in order, whatever the axes.
  for (int64_t extent = 0; extent < 20; ++extent) {
    Axes axes = {m.getWhole("tp"), m.getWhole("dp")};
    int64_t next = 0;
    for (int64_t rank : m.getGroup(0, axes)) {
      Range held = getShard(extent, m, axes, rank);
      EXPECT_EQ(held.begin, next);
      EXPECT_LE(held.size, (extent + 7) / 8);
      EXPECT_GE(held.size, extent / 8);
      next += held.size;
    }
    EXPECT_EQ(next, extent);
  }
}

TEST(Sharding, ReadsWhatItWrites) {
  Mesh m = mesh({{"dp", 2}, {"tp", 4}});
  for (llvm::StringRef text :
       {"[]", "[{dp}, {tp, ?}]", "[{tp:(2)2}, {?}, {tp:(1)2}]", "[{}, {dp}] partial max [tp]"})
    EXPECT_EQ(toString(parse(text, m), m), text);
}

TEST(Sharding, RefusesWhatHasNoMeaning) {
  Mesh m = mesh({{"dp", 2}, {"tp", 4}});
  EXPECT_EQ(errorOf("[{ep}]", m), "axis 'ep' is not in the mesh [dp = 2, tp = 4]");
  EXPECT_EQ(errorOf("[{tp}, {tp:(2)2}]", m), "axis 'tp:(2)2' is used twice");
  EXPECT_EQ(errorOf("[{tp:(1)3}]", m), "axis 'tp' of size 4 has no part (1)3");
  EXPECT_EQ(errorOf("[{tp:(1)2, tp:(2)2}]", m),
            "'tp:(1)2, tp:(2)2' is 'tp'; write it so, because the parts of an uneven dimension "
            "would differ");
  EXPECT_EQ(errorOf("[{dp]", m), "expected ',' at ']'");
  EXPECT_EQ(errorOf("[{dp}] tail", m), "has 'tail' behind its end");
}

std::string describe(const Mesh &m, llvm::StringRef from, llvm::StringRef to,
                     std::vector<int64_t> extents) {
  std::string text;
  for (const ReshardStep &step : planReshard(parse(from, m), parse(to, m), extents))
    text += (text.empty() ? "" : "; ") + toString(step.kind).str() + " " + m.toString(step.axes) +
            " " + std::to_string(step.dim);
  return text;
}

TEST(Reshard, ChoosesCollectives) {
  Mesh m = mesh({{"dp", 2}, {"tp", 4}});
  EXPECT_EQ(describe(m, "[{dp}, {}]", "[{dp}, {}]", {8, 8}), "");
  EXPECT_EQ(describe(m, "[{}, {}] partial sum [tp]", "[{}, {}]", {8, 8}), "all_reduce tp 0");
  EXPECT_EQ(describe(m, "[{}, {}] partial sum [tp]", "[{}, {tp}]", {8, 8}), "reduce_scatter tp 1");
  EXPECT_EQ(describe(m, "[{tp}, {}]", "[{}, {tp}]", {8, 8}), "all_to_all tp 1");
  EXPECT_EQ(describe(m, "[{dp, tp}, {}]", "[{dp}, {tp}]", {16, 8}), "all_to_all tp 1");
  EXPECT_EQ(describe(m, "[{tp}, {}]", "[{}, {dp}]", {8, 8}), "all_slice dp 1; all_gather tp 0");
  EXPECT_EQ(describe(m, "[{tp}]", "[{tp:(1)2}]", {8}), "all_gather tp:(2)2 0");
  // 10 rows over tp are 3 3 2 2, not halves of 5 5.
  EXPECT_EQ(describe(m, "[{tp}]", "[{tp:(1)2}]", {10}), "all_gather tp 0; all_slice tp:(1)2 0");
  EXPECT_EQ(describe(m, "[{tp}]", "[{dp}]", {-1}), "all_gather tp 0; all_slice dp 0");
}

/// Any two random shardings: the steps end where they should, and each has a valid sharding.
TEST(Reshard, ArrivesFromAnywhere) {
  Mesh m = mesh({{"a", 4}, {"b", 2}, {"c", 3}});
  std::mt19937 random(1);
  auto draw = [&] {
    std::vector<Axis> axes = {{"a", 1, 2}, {"a", 2, 2}, {"b", 1, 2}, {"c", 1, 3}};
    std::shuffle(axes.begin(), axes.end(), random);
    Sharding sharding(3);
    for (const Axis &axis : axes)
      if (unsigned place = random() % 5; place < 3)
        sharding.dims[place].axes.push_back(axis);
      else if (place == 3)
        sharding.partial.push_back(axis);
    for (DimSharding &dim : sharding.dims)
      dim.axes = merge(dim.axes);
    std::sort(sharding.partial.begin(), sharding.partial.end());
    sharding.partial = merge(sharding.partial);
    sharding.reduction = sharding.partial.empty() ? Reduction::None : Reduction::Sum;
    return sharding;
  };
  for (int i = 0; i < 2000; ++i) {
    Sharding from = draw(), to = draw();
    to.partial.clear();
    to.reduction = Reduction::None;
    std::vector<int64_t> extents = {random() % 2 ? 48 : 7, random() % 2 ? 48 : -1, 5};
    Sharding at = from;
    for (const ReshardStep &step : planReshard(from, to, extents)) {
      at = step.result;
      EXPECT_EQ(check(at, m), "") << toString(from, m) << " to " << toString(to, m);
    }
    EXPECT_EQ(toString(at, m), toString(to, m)) << "from " << toString(from, m);
  }
}

} // namespace
} // namespace ashlar::dist
