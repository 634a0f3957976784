// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Distribution/Schedule/StageCuts.h"

#include <algorithm>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ashlar::schedule {
namespace {

using ::testing::ElementsAre;

double getSlowest(const std::vector<Link> &chain, const std::vector<size_t> &first) {
  double slowest = 0;
  for (size_t stage = 0; stage < first.size(); ++stage) {
    const size_t begin = first[stage],
                 end = stage + 1 < first.size() ? first[stage + 1] : chain.size();
    double run =
        (begin > 0 ? chain[begin].transfer : 0) + (end < chain.size() ? chain[end].transfer : 0);
    for (size_t i = begin; i < end; ++i)
      run += chain[i].work;
    slowest = std::max(slowest, run);
  }
  return slowest;
}

/// The least over all ways to cut the links behind `first`.
double getLeast(const std::vector<Link> &chain, size_t stages, std::vector<size_t> first = {0}) {
  if (first.size() == stages)
    return getSlowest(chain, first);
  double least = 1e300;
  for (size_t next = first.back() + 1; next + (stages - first.size()) <= chain.size(); ++next) {
    first.push_back(next);
    least = std::min(least, getLeast(chain, stages, first));
    first.pop_back();
  }
  return least;
}

TEST(StageCuts, SharesEqualLayers) {
  std::vector<Link> chain(8, Link{1, 0.1});
  EXPECT_THAT(cutChain(chain, 4), ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(cutChain(chain, 1), ElementsAre(0));
  EXPECT_THAT(cutChain(chain, 8), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(StageCuts, GivesAHeavyEndFewerLayers) {
  EXPECT_THAT(cutChain({{1, 0}, {1, 0}, {1, 0}, {1, 0}, {4, 0}}, 2), ElementsAre(0, 4));
}

TEST(StageCuts, CutsWhereLittleIsSent) {
  EXPECT_THAT(cutChain({{1, 0}, {1, 5}, {1, 0.1}, {1, 5}}, 2), ElementsAre(0, 2));
}

TEST(StageCuts, AreTheBestOfAll) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Link> chain(1 + random() % 9);
    for (Link &link : chain)
      link = {uniform(random), uniform(random) / 2};
    for (size_t stages = 1; stages <= chain.size(); ++stages) {
      const std::vector<size_t> first = cutChain(chain, stages);
      ASSERT_EQ(first.size(), stages);
      ASSERT_EQ(first.front(), 0u);
      ASSERT_TRUE(std::is_sorted(first.begin(), first.end(), std::less_equal<size_t>()));
      EXPECT_NEAR(getSlowest(chain, first), getLeast(chain, stages), 1e-12);
    }
  }
}

} // namespace
} // namespace ashlar::schedule
