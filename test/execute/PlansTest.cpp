// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans of the solver: they fit, compute what one device does, and are no worse than plans made by
// hand, or than any, where all can be tried.

#include "compiler/Distribution/Plan/AutoPlan.h"
#include "compiler/Distribution/Shardings.h"
#include "dialects/Dist/LocalTypes.h"
#include "test/execute/Partitioned.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"

#include <fstream>
#include <sstream>

using namespace ashlar;
using namespace ashlar::test;

namespace {

class AutoPlans : public Partitioned, public testing::WithParamInterface<ModelCase> {
protected:
  /// Bytes of the parameters and caches of a module.
  int64_t getStateBytes(ModuleOp module) {
    double bytes = 0;
    for (auto state : module.getOps<graph::StateOp>())
      bytes += graph::getByteSize(state.getType()).evaluate([](StringAttr) { return 0; });
    return static_cast<int64_t>(bytes);
  }
};

// With room for half of the states, in every entry point, through the cache.
TEST_P(AutoPlans, FitAndAgreeWithOneDevice) {
  moreTolerance = kCutNormTolerance; // the solver may cut what it likes
  auto whole = import(GetParam().golden);
  ASSERT_TRUE(whole);
  OwningOpRef<ModuleOp> local = whole->clone();
  ASSERT_TRUE(pin(*local, "mesh " + GetParam().mesh + " on host\n" + GetParam().pins));
  distribution::AutoPlanOptions options;
  options.memory = getStateBytes(*whole) / 2 + (1 << 16);
  auto plan = distribution::planSharding(*local, options);
  ASSERT_TRUE(succeeded(plan));
  EXPECT_LE(plan->stateBytes, options.memory);
  EXPECT_LE(plan->lowerBound, plan->seconds);
  ASSERT_TRUE(partition(*local));
  compareAt(*whole, *local, "forward", {{3, 7}, {1, 1}});
  if (!whole->lookupSymbol("decode"))
    return;
  StateStore states(interpreter::drawFromSeed(5));
  auto rankStates = interpreter::makeRankStates(*local, interpreter::drawFromSeed(5));
  for (auto [entry, seq] : {std::pair("prefill", 5), {"decode", 1}})
    compareStep(*whole, *local, entry,
                makeInputs(whole->lookupSymbol<func::FuncOp>(entry), {{"batch", 3}, {"seq", seq}},
                           static_cast<uint32_t>(seq)),
                states, rankStates);
}

// The plan that people make is one of those that the solver chooses from.
TEST_P(AutoPlans, AreNoWorseThanMegatrons) {
  auto free = import(GetParam().golden);
  ASSERT_TRUE(free);
  OwningOpRef<ModuleOp> pinned = free->clone();
  ASSERT_TRUE(pin(*free, "mesh tp=4 on nvlink\n"));
  ASSERT_TRUE(pin(*pinned,
                  std::string("mesh tp=4 on nvlink\n") + getTensorParallelPins(GetParam().golden)));
  auto best = distribution::planSharding(*free, {}),
       byHand = distribution::planSharding(*pinned, {});
  ASSERT_TRUE(succeeded(best) && succeeded(byHand));
  EXPECT_LE(best->seconds, byHand->seconds);
  EXPECT_LE(best->lowerBound, byHand->seconds);
}

INSTANTIATE_TEST_SUITE_P(
    All, AutoPlans,
    testing::Values(ModelCase{"bert-masked-lm-untied", "tp=2", ""},
                    ModelCase{"gpt2", "dp=2 tp=2", ""}, ModelCase{"llama", "dp=2 tp=4", ""},
                    ModelCase{"llama", "tp=4", "*.q_proj.weight [{tp}, {}]\n"}),
    getCaseName);

/// Two layers, every tensor of which is pinned in every way that there is: no combination is faster
/// than what the solver chooses, and one is as fast.
class SmallPlans : public Partitioned, public testing::WithParamInterface<const char *> {};

TEST_P(SmallPlans, AreTheBestOfAll) {
  context.loadDialect<graph::GraphDialect, func::FuncDialect>();
  auto module = parseSourceString<ModuleOp>(R"(
    graph.state parameter model @up : tensor<1024x256xf32>
    graph.state parameter model @down : tensor<256x1024xf32>
    func.func @f(%x: tensor<64x256xf32> {graph.name = "x"})
        -> (tensor<64x256xf32> {graph.name = "y"}) attributes {graph.entry} {
      %up = graph.read @up : tensor<1024x256xf32>
      %down = graph.read @down : tensor<256x1024xf32>
      %0 = graph.matmul %x, %up transpose_b : tensor<64x256xf32>, tensor<1024x256xf32>
      %1 = graph.gelu %0 exact : tensor<64x1024xf32>
      %2 = graph.matmul %1, %down transpose_b : tensor<64x1024xf32>, tensor<256x1024xf32>
      return %2 : tensor<64x256xf32>
    })",
                                            &context);
  ASSERT_TRUE(module);
  ASSERT_TRUE(pin(*module, std::string("mesh ") + GetParam() + "\nresult:y [{}, {}]\n"));
  OwningOpRef<ModuleOp> free = module->clone();
  auto best = distribution::planSharding(*free, {});
  ASSERT_TRUE(succeeded(best));

  // States, the argument and the ops' results; readings and results follow.
  distribution::Shardings all(*module);
  const size_t tensors[] = {0, 1, 2, 6, 7, 8}; // behind the argument a result and two readings
  ASSERT_EQ(all.tensors.size(), 9u);
  double least = INFINITY;
  int64_t combinations = 1, ranks = all.getMesh().getRankCount();
  for (size_t i = 0; i < std::size(tensors); ++i)
    combinations *= 3; // whole, cut by rows, cut by columns
  for (int64_t combination = 0; combination < combinations; ++combination) {
    OwningOpRef<ModuleOp> copy = module->clone();
    distribution::Shardings shardings(*copy);
    int64_t rest = combination;
    for (size_t tensor : tensors) {
      dist::Sharding sharding(2);
      if (int64_t way = rest % 3; way > 0)
        sharding.dims[way - 1].axes = {shardings.getMesh().getWhole("tp")};
      shardings.tensors[tensor].sharding = sharding;
      rest /= 3;
    }
    shardings.write();
    auto plan = distribution::planSharding(*copy, {});
    ASSERT_TRUE(succeeded(plan));
    least = std::min(least, plan->seconds);
  }
  std::printf("%lld plans for %lld ranks, the best %.3f us\n", static_cast<long long>(combinations),
              static_cast<long long>(ranks), least * 1e6);
  EXPECT_NEAR(best->seconds, least, 1e-12);
  EXPECT_NEAR(best->lowerBound, least, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(All, SmallPlans,
                         testing::Values("tp=2 on host", "tp=4 on nvlink", "tp=3 on host"),
                         [](const auto &info) { return "tp" + std::string(1, info.param[3]); });

/// The shapes of LLaMA-3 and of GPT-3 (Brown et al., 2020), beside tensor parallelism made by hand:
/// inputs over dp, weights over tp.
struct LargeCase {
  const char *name, *family, *mesh;
  int64_t hidden, intermediate, layers, heads;
  int64_t batch;
  double memory; // GiB of a device
  int64_t seq = 2048;
};

class LargePlans : public Partitioned, public testing::WithParamInterface<LargeCase> {
protected:
  OwningOpRef<ModuleOp> import() {
    const LargeCase &each = GetParam();
    const std::string directory = testing::TempDir() + "/" + each.name + std::to_string(getpid());
    llvm::sys::fs::create_directory(directory);
    std::ofstream config(directory + "/config.json");
    if (StringRef(each.family) == "gpt2")
      config << R"({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", )"
             << R"("vocab_size": 50257, "n_positions": 2048, "n_embd": )" << each.hidden
             << R"(, "n_inner": )" << each.intermediate << R"(, "n_layer": )" << each.layers
             << R"(, "n_head": )" << each.heads << "}";
    else
      config << R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", )"
             << R"("vocab_size": 128256, "num_key_value_heads": 8, "rms_norm_eps": 1e-5, )"
             << R"("rope_theta": 500000.0, "tie_word_embeddings": false, "hidden_size": )"
             << each.hidden << R"(, "intermediate_size": )" << each.intermediate
             << R"(, "num_hidden_layers": )" << each.layers << R"(, "num_attention_heads": )"
             << each.heads << "}";
    config.close();
    ImportOptions options;
    options.directory = directory;
    options.batch = {1, each.batch};
    options.seq = DimBounds{1, each.seq};
    options.context = 2048;
    options.weights = WeightType::BF16;
    options.randomWeights = true;
    auto module = importHuggingFace(context, options);
    llvm::sys::fs::remove_directories(directory);
    return module;
  }
};

TEST_P(LargePlans, AreNoWorseThanMegatrons) {
  auto free = import();
  ASSERT_TRUE(free);
  const std::string mesh = std::string("mesh ") + GetParam().mesh + "\n";
  const bool sharesData = mesh.find("dp=") != std::string::npos;
  OwningOpRef<ModuleOp> pinned = free->clone();
  ASSERT_TRUE(pin(*free, mesh));
  ASSERT_TRUE(pin(*pinned, mesh + getTensorParallelPins(GetParam().family) +
                               (sharesData ? "input_ids [{dp}, {}]\n" : "")));
  distribution::AutoPlanOptions options;
  options.memory = static_cast<int64_t>(GetParam().memory * (1 << 30));
  auto best = distribution::planSharding(*free, options),
       byHand = distribution::planSharding(*pinned, options);
  ASSERT_TRUE(succeeded(best) && succeeded(byHand));
  std::printf("%.3f ms, by hand %.3f, no plan takes less than %.3f: gap %.1f %%\n",
              best->seconds * 1e3, byHand->seconds * 1e3, best->lowerBound * 1e3,
              100 * (best->seconds / best->lowerBound - 1));
  EXPECT_LE(best->seconds, byHand->seconds);
  // Where they differ, of the first layer and what is in no layer.
  const std::string theirs = distribution::writePlan(*pinned, "");
  std::istringstream ours(distribution::writePlan(*free, ""));
  for (std::string line; std::getline(ours, line);)
    if (theirs.find(line + "\n") == std::string::npos &&
        (line.find("layers.") == std::string::npos || line.find("layers.0.") != std::string::npos))
      std::printf("  %s\n", line.c_str());
}

INSTANTIATE_TEST_SUITE_P(
    All, LargePlans,
    testing::Values(
        LargeCase{"llama_8b_on_a_host", "llama", "tp=8 on nvlink", 4096, 14336, 32, 32, 8, 80},
        LargeCase{"llama_70b_on_a_host", "llama", "tp=8 on nvlink", 8192, 28672, 80, 64, 8, 80},
        LargeCase{"llama_70b_on_8_hosts", "llama", "dp=8 tp=8 on nvlink-ib", 8192, 28672, 80, 64, 8,
                  80},
        LargeCase{"gpt3_175b_on_128_hosts", "gpt2", "dp=128 tp=8 on nvlink-ib", 12288, 49152, 96,
                  96, 128, 80, 512}),
    [](const auto &info) { return info.param.name; });

} // namespace
