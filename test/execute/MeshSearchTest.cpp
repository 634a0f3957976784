// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The search of a mesh: what it leaves out is no faster, and what it leaves behind runs.

#include "compiler/Distribution/Plan/MeshSearch.h"
#include "dialects/Dist/LocalTypes.h"
#include "test/execute/Partitioned.h"

using namespace ashlar;
using namespace ashlar::test;
using distribution::MeshChoice;

namespace {

struct MeshCase {
  const char *golden, *topology;
  int64_t ranks;
};

class MeshPlans : public Partitioned, public testing::WithParamInterface<MeshCase> {
protected:
  /// A plan with all the work for one mesh.
  FailureOr<distribution::AutoPlan> planAlone(ModuleOp whole, std::string mesh) {
    OwningOpRef<ModuleOp> copy = whole.clone();
    std::replace(mesh.begin(), mesh.end(), ',', ' ');
    if (!pin(*copy, "mesh " + mesh + " on " + GetParam().topology + "\n"))
      return failure();
    return distribution::planSharding(*copy, {});
  }
};

TEST_P(MeshPlans, AreTheFastestOfAllMeshes) {
  const auto [golden, topology, ranks] = GetParam();
  auto whole = import(golden);
  ASSERT_TRUE(whole);
  OwningOpRef<ModuleOp> local = whole->clone();
  const std::vector<std::string> meshes = distribution::getMeshes(ranks);
  auto choices = distribution::searchMesh(*local, meshes, topology, {});
  ASSERT_TRUE(succeeded(choices));
  ASSERT_EQ(choices->size(), meshes.size());
  const double best = choices->front().seconds;
  for (const MeshChoice &choice : *choices) {
    auto alone = planAlone(*whole, choice.mesh);
    ASSERT_TRUE(succeeded(alone)) << choice.mesh;
    EXPECT_LE(best, alone->seconds) << choice.mesh;
    EXPECT_LE(choice.lowerBound, alone->seconds) << choice.mesh;
    EXPECT_TRUE(choice.isPlanned || choice.lowerBound >= best) << toString(choice);
  }
  ASSERT_TRUE(partition(*local, /*forPrograms=*/true));
  moreTolerance = kCutNormTolerance;
  compareAt(*whole, *local, "forward", {{3, 7}, {1, 1}});
}

INSTANTIATE_TEST_SUITE_P(
    All, MeshPlans,
    testing::Values(MeshCase{"bert-masked-lm-untied", "nvlink", 4}, MeshCase{"gpt2", "host", 6},
                    MeshCase{"llama", "nvlink", 8}, MeshCase{"llama", "host", 2}),
    [](const auto &info) {
      return getCaseName({{info.param.golden, std::to_string(info.param.ranks), ""}, info.index});
    });

/// Within less memory fewer meshes are tried: the best ones, and none twice.
TEST(MeshPlansOfLess, AreThePromisingOnes) {
  std::vector<MeshChoice> choices;
  for (const std::string &mesh : distribution::getMeshes(64))
    choices.push_back({mesh});
  ASSERT_EQ(choices.size(), 7u);
  std::vector<std::string> promising = distribution::getPromising(choices);
  EXPECT_LT(promising.size(), choices.size());
  EXPECT_EQ(promising.front(), "dp=64");
}

} // namespace
