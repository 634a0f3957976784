// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "compiler/CostModel/Collectives.h"
#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

namespace ashlar {
namespace {

TEST(Collectives, FollowTheirFormulas) {
  Link link{1e9, 1e-6};
  EXPECT_DOUBLE_EQ(getCollectiveSeconds(CollectiveKind::AllGather, 4e6, 4, link),
                   3 * (1e-6 + 1e-3));
  EXPECT_DOUBLE_EQ(getCollectiveSeconds(CollectiveKind::AllReduce, 4e6, 4, link),
                   6 * (1e-6 + 1e-3));
  EXPECT_DOUBLE_EQ(getCollectiveSeconds(CollectiveKind::Broadcast, 4e6, 8, link), 3e-6 + 4e-3);
  EXPECT_DOUBLE_EQ(getCollectiveSeconds(CollectiveKind::Permute, 4e6, 8, link), 1e-6 + 4e-3);
  EXPECT_EQ(getCollectiveSeconds(CollectiveKind::AllReduce, 4e6, 1, link), 0);
  // Small all-reduces of many ranks take the tree's fewer steps.
  EXPECT_DOUBLE_EQ(getCollectiveSeconds(CollectiveKind::AllReduce, 8, 64, link), 2 * (6e-6 + 8e-9));
  // A reduce-scatter and an all-gather move what an all-reduce moves.
  EXPECT_DOUBLE_EQ(getCollectiveSeconds(CollectiveKind::ReduceScatter, 1e9, 8, link) +
                       getCollectiveSeconds(CollectiveKind::AllGather, 1e9, 8, link),
                   getCollectiveSeconds(CollectiveKind::AllReduce, 1e9, 8, link));
}

TEST(Collectives, FindsTheLinkBehindExactTimes) {
  Link link{3e9, 5e-6};
  std::vector<MeasuredCollective> measured;
  for (double bytes : {1e6, 1e7, 1e8})
    measured.push_back({CollectiveKind::AllGather, 8, bytes,
                        getCollectiveSeconds(CollectiveKind::AllGather, bytes, 8, link)});
  Link found = fitLink(measured);
  EXPECT_NEAR(found.bandwidth / link.bandwidth, 1, 1e-9);
  EXPECT_NEAR(found.latency / link.latency, 1, 1e-9);
}

/// The rows of a table of NCCL's times, by group: `GROUP SIZE COLLECTIVE ms ms ...` for 1 MB, 2 MB,
/// 4 MB ... The size is a rank's shard for all-gathers, the whole tensor for the others.
std::map<int, std::vector<MeasuredCollective>> readTable(const std::string &path) {
  std::map<int, std::vector<MeasuredCollective>> groups;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    int group = 0;
    int64_t ranks = 0;
    std::string name;
    if (!(words >> group >> ranks >> name))
      continue;
    bool gathers = name.rfind("all_gather", 0) == 0;
    auto kind = gathers                ? CollectiveKind::AllGather
                : name == "all_reduce" ? CollectiveKind::AllReduce
                                       : CollectiveKind::ReduceScatter;
    double bytes = 1 << 20, milliseconds = 0;
    for (; words >> milliseconds; bytes *= 2)
      groups[group].push_back(
          {kind, ranks, gathers ? bytes * static_cast<double>(ranks) : bytes, milliseconds * 1e-3});
  }
  return groups;
}

// Fitted on every other size of gathers and scatters, a link predicts the other sizes, and all
// reductions, which it has not seen.
TEST(Collectives, PredictMeasuredTimes) {
  std::vector<double> errors;
  for (const char *name : {"colls8_8.table", "colls16_8.table", "colls32_8.table"}) {
    for (const auto &[group, table] : readTable(std::string(ASHLAR_PROFILES) + "/" + name)) {
      const std::vector<MeasuredCollective> &measured = table;
      auto isShown = [&](size_t i) {
        return i % 2 == 1 && measured[i].kind != CollectiveKind::AllReduce;
      };
      std::vector<MeasuredCollective> shown;
      for (size_t i = 0; i < measured.size(); ++i)
        if (isShown(i))
          shown.push_back(measured[i]);
      Link link = fitLink(shown);
      for (size_t i = 0; i < measured.size(); ++i)
        if (!isShown(i)) {
          const MeasuredCollective &each = measured[i];
          double predicted = getCollectiveSeconds(each.kind, each.bytes, each.ranks, link);
          errors.push_back(std::fabs(predicted - each.seconds) / each.seconds);
        }
      std::printf("%s, group %d: %.1f GB/s, %.1f us\n", name, group, link.bandwidth * 1e-9,
                  link.latency * 1e6);
    }
  }
  if (errors.empty())
    GTEST_SKIP() << "no measured times at " << ASHLAR_PROFILES;
  std::sort(errors.begin(), errors.end());
  double median = errors[errors.size() / 2];
  std::printf("%zu times: median error %.1f %%, largest %.1f %%\n", errors.size(), 100 * median,
              100 * errors.back());
  EXPECT_LT(median, 0.15);
}

} // namespace
} // namespace ashlar
