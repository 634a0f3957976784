// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The search of a mesh: what it leaves out is no faster, and what it leaves behind runs.

#include "compiler/Distribution/Plan/MeshSearch.h"
#include "dialects/Dist/LocalTypes.h"
#include "test/execute/Partitioned.h"

#include "llvm/Support/FileSystem.h"

#include <fstream>

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
  static bool hasStages(const MeshChoice &choice) { return StringRef(choice.mesh).contains("pp="); }
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
  auto choices =
      distribution::searchMesh(*local, distribution::getMeshes(ranks, 0), {{}, topology});
  ASSERT_TRUE(succeeded(choices));
  double best = INFINITY;
  for (const MeshChoice &choice : *choices)
    if (choice.isPlanned && !hasStages(choice))
      best = std::min(best, choice.plan.seconds);
  for (const MeshChoice &choice : *choices) {
    EXPECT_TRUE(choice.isPlanned || choice.lowerBound >= best) << toString(choice);
    if (hasStages(choice)) {
      EXPECT_TRUE(!choice.isPlanned || choice.lowerBound <= choice.seconds) << toString(choice);
      continue;
    }
    auto alone = planAlone(*whole, choice.mesh);
    ASSERT_TRUE(succeeded(alone)) << choice.mesh;
    EXPECT_LE(best, alone->seconds) << choice.mesh;
    EXPECT_LE(choice.lowerBound, alone->seconds) << choice.mesh;
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

class StagePlans : public Partitioned {
protected:
  FailureOr<std::vector<MeshChoice>> search(ModuleOp module, int64_t memory) {
    ScopedDiagnosticHandler quiet(&context, [](Diagnostic &) { return success(); });
    return distribution::searchMesh(module, distribution::getMeshes(2, memory),
                                    {{memory, /*workLimit=*/20000}, "nvlink"});
  }
};

// Every dimension is three, of which two ranks have two: they cannot share the states evenly, but
// stages can. Where there is room for both, stages do not pay: they wait for each other.
TEST_F(StagePlans, AreFoundWhereNothingElseFits) {
  const std::string directory = testing::TempDir() + "/threes" + std::to_string(getpid());
  llvm::sys::fs::create_directory(directory);
  std::ofstream(directory + "/config.json")
      << R"({"architectures": ["BertForMaskedLM"], "model_type": "bert", "vocab_size": 3, )"
      << R"("hidden_size": 3, "intermediate_size": 3, "num_hidden_layers": 12, )"
      << R"("num_attention_heads": 1, "max_position_embeddings": 3, "type_vocab_size": 3, )"
      << R"("hidden_act": "relu", "layer_norm_eps": 1e-12, "tie_word_embeddings": false})";
  ImportOptions options;
  options.directory = directory;
  options.batch = {1, 3};
  options.seq = DimBounds{1, 3};
  options.weights = WeightType::F32;
  options.randomWeights = true;
  auto whole = importHuggingFace(context, options);
  llvm::sys::fs::remove_directories(directory);
  ASSERT_TRUE(whole);
  double states = 0;
  for (auto state : whole->getOps<graph::StateOp>())
    states += graph::getByteSize(state.getType()).evaluate([](StringAttr) { return 0; });
  bool wasAlone = false;
  for (double share : {1.5, 0.75}) {
    OwningOpRef<ModuleOp> local = whole->clone();
    auto choices = search(*local, static_cast<int64_t>(share * states));
    if (failed(choices))
      break;
    const bool isStaged = choices->front().mesh == "pp=2";
    wasAlone = isStaged && choices->size() == 1;
    if (share > 1.4)
      EXPECT_FALSE(isStaged);
    if (!wasAlone)
      continue;
    std::printf("at %.2f of the states: %s\n", share, toString(choices->front()).c_str());
    ASSERT_TRUE(partition(*local, /*forPrograms=*/true));
    EXPECT_EQ(getFunctions(*local, "forward").size(), 2u);
    compareAt(*whole, *local, "forward", {{3, 3}, {1, 1}});
  }
  EXPECT_TRUE(wasAlone);
}

// What was too large is planned again within less, and the others are known.
TEST_F(StagePlans, ShrinkOneMeshAtATime) {
  auto whole = import("llama");
  ASSERT_TRUE(whole);
  OwningOpRef<ModuleOp> first = whole->clone(), second = whole->clone();
  const int64_t memory = 1 << 20;
  auto choices = search(*first, memory);
  ASSERT_TRUE(succeeded(choices));
  const std::string mesh = choices->front().mesh;
  choices->front().shrink(memory - 1000); // half at the most, in which it still fits
  EXPECT_FALSE(choices->front().isPlanned);
  auto again = distribution::searchMesh(*second, *choices, {{memory}, "nvlink"});
  ASSERT_TRUE(succeeded(again));
  for (const MeshChoice &choice : *again)
    EXPECT_EQ(choice.room.getBytes(), choice.mesh == mesh ? memory / 2 : memory) << choice.mesh;
  EXPECT_TRUE(again->front().isPlanned);
}

/// Three sequences over eight ranks, five of which have none, as people would write it.
class IdleRankPlans : public Partitioned, public testing::WithParamInterface<const char *> {};

TEST_P(IdleRankPlans, AreNoSlowerThanTheConventions) {
  auto whole = import(GetParam());
  ASSERT_TRUE(whole);
  OwningOpRef<ModuleOp> free = whole->clone(), pinned = whole->clone();
  ASSERT_TRUE(pin(*free, "mesh dp=8 on nvlink\n"));
  ASSERT_TRUE(pin(*pinned, "mesh dp=8 on nvlink\ninput_ids [{dp}, {}]\n"));
  auto best = distribution::planSharding(*free, {}),
       byHand = distribution::planSharding(*pinned, {});
  ASSERT_TRUE(succeeded(best) && succeeded(byHand));
  EXPECT_LE(best->seconds, byHand->seconds);
  // The sequences are cut, although there are too few.
  const std::string plan = distribution::writePlan(*free, "");
  EXPECT_NE(plan.find(" [{dp}"), std::string::npos) << plan;
  ASSERT_TRUE(partition(*free, /*forPrograms=*/true));
  moreTolerance = kCutNormTolerance;
  compareAt(*whole, *free, "forward", {{3, 7}, {1, 1}});
  if (whole->lookupSymbol("decode"))
    compareDecoding(*whole, *free);
}

INSTANTIATE_TEST_SUITE_P(All, IdleRankPlans, testing::Values("gpt2", "llama"));

} // namespace
