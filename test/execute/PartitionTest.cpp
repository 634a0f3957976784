// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The proof of plans: a module is partitioned, run on every rank of its mesh in this process, and
// compared with the module on one device.

#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Plan/AutoPlan.h"
#include "compiler/Distribution/Plan/PlanFile.h"
#include "compiler/Distribution/Shardings.h"
#include "compiler/Import/HuggingFace.h"
#include "compiler/Interpreter/Parameters.h"
#include "compiler/Interpreter/Ranks.h"
#include "dialects/Dist/LocalTypes.h"
#include "test/lib/RandomGraph.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "gtest/gtest.h"

#include <random>

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;
using interpreter::StateStore;

/// Both sides compute in f64 and differ in the order of sums alone: 2^-53 per addition, growing as
/// the square root of `length` additions (Higham and Mary, 2019), over some 50 ops in a row, each
/// of which may double what came in relative to the largest value.
double getTolerance(int64_t length) {
  return 50 * 2 * 1.11e-16 * std::sqrt(static_cast<double>(length));
}

/// A norm whose row is cut adds its epsilon as an f32 constant, up to 2^-24 beside the number that
/// one device adds; what follows may double it a few times.
constexpr double kCutNormTolerance = 8 * 6e-8;

class Partitioned : public testing::Test {
protected:
  Partitioned() { context.loadDialect<dist::DistDialect>(); }

  OwningOpRef<ModuleOp> import(const std::string &golden) {
    ImportOptions options;
    options.directory = std::string(ASHLAR_GOLDENS) + "/" + golden;
    options.batch = {1, 3};
    options.seq = DimBounds{1, 12};
    options.context = 14;
    options.weights = WeightType::F32;
    options.randomWeights = true;
    auto module = importHuggingFace(context, options);
    EXPECT_TRUE(module) << golden;
    return module;
  }

  /// Partitions a module that carries its annotations.
  bool partition(ModuleOp module) {
    PassManager manager(&context);
    manager.addPass(createPropagateShardingPass());
    manager.addPass(createPartitionPass(PartitionPassOptions{/*report=*/false}));
    manager.addPass(createCSEPass());
    manager.addPass(createVerifyCollectivesPass());
    return succeeded(manager.run(module));
  }

  bool pin(ModuleOp module, const std::string &text) {
    auto plan = distribution::parsePlan(text);
    if (!plan) {
      ADD_FAILURE() << llvm::toString(plan.takeError());
      return false;
    }
    return succeeded(distribution::applyPlan(*plan, "plan", module));
  }

  /// Random inputs of an entry point at these extents.
  std::vector<NamedArray> makeInputs(func::FuncOp function, std::map<std::string, int64_t> extents,
                                     uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::vector<NamedArray> inputs;
    for (BlockArgument argument : function.getArguments()) {
      unsigned index = argument.getArgNumber();
      auto type = cast<RankedTensorType>(argument.getType());
      std::vector<int64_t> shape;
      for (const graph::Dim &dim : graph::getDims(type))
        shape.push_back(dim.isNumber() ? dim.size : extents.at(dim.name.str()));
      auto name = function.getArgAttrOfType<StringAttr>(index, graph::kNameAttr).str();
      auto range = function.getArgAttrOfType<DenseI64ArrayAttr>(index, graph::kRangeAttr);
      if (function.getArgAttr(index, graph::kDefaultAttr))
        continue; // what callers leave out is a test of defaults on ranks
      Array array(type.getElementType(), shape);
      for (double &value : array.floats)
        value = static_cast<float>(normal(random));
      for (int64_t &value : array.integers)
        value = range ? range[0] + static_cast<int64_t>(random() % (range[1] - range[0])) : 1;
      inputs.push_back({name, std::make_shared<const Array>(std::move(array))});
    }
    return inputs;
  }

  /// Runs an entry point of both modules, with states that live on.
  void compareStep(ModuleOp whole, ModuleOp local, StringRef entry,
                   const std::vector<NamedArray> &inputs, StateStore &states,
                   std::vector<StateStore> &rankStates) {
    auto expected =
        interpreter::evaluate(whole.lookupSymbol<func::FuncOp>(entry), inputs, states, {});
    ASSERT_TRUE(succeeded(expected));
    auto found = interpreter::evaluateOnRanks(local.lookupSymbol<func::FuncOp>(entry), inputs,
                                              rankStates, {});
    ASSERT_TRUE(succeeded(found));
    ASSERT_EQ(found->size(), expected->size());
    for (size_t i = 0; i < expected->size(); ++i)
      EXPECT_EQ(interpreter::compare(*(*found)[i].array, *(*expected)[i].array,
                                     getTolerance(200) + moreTolerance),
                "")
          << entry.str() << ": " << (*expected)[i].name;
  }

  /// One run of `entry` at several extents, uneven ones among them.
  void compareAt(ModuleOp whole, ModuleOp local, StringRef entry,
                 ArrayRef<std::pair<int64_t, int64_t>> extents) {
    for (auto [batch, seq] : extents) {
      SCOPED_TRACE("batch " + std::to_string(batch) + ", seq " + std::to_string(seq));
      StateStore states(interpreter::drawFromSeed(5));
      auto rankStates = interpreter::makeRankStates(local, interpreter::drawFromSeed(5));
      compareStep(whole, local, entry,
                  makeInputs(whole.lookupSymbol<func::FuncOp>(entry),
                             {{"batch", batch}, {"seq", seq}}, static_cast<uint32_t>(batch * seq)),
                  states, rankStates);
    }
  }

  MLIRContext context;
  double moreTolerance = 0;
};

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

/// Tensor parallelism as Megatron-LM cuts it (Shoeybi et al., 2019): what makes heads and the inner
/// features by columns, what takes them by rows, vocabularies by rows.
const char *getTensorParallelPins(StringRef golden) {
  if (golden.starts_with("llama"))
    return "*.q_proj.weight [{tp}, {}]\n*.k_proj.weight [{tp}, {}]\n*.v_proj.weight [{tp}, {}]\n"
           "*.o_proj.weight [{}, {tp}]\n*.gate_proj.weight [{tp}, {}]\n"
           "*.up_proj.weight [{tp}, {}]\n*.down_proj.weight [{}, {tp}]\n"
           "model.embed_tokens.weight [{tp}, {}]\nlm_head.weight [{tp}, {}]\n";
  if (golden.starts_with("gpt2"))
    return "*.attn.c_attn.weight [{}, {tp}]\n*.attn.c_proj.weight [{tp}, {}]\n"
           "*.c_fc.weight [{}, {tp}]\n*.mlp.c_proj.weight [{tp}, {}]\n"
           "transformer.wte.weight [{tp}, {}]\n";
  return "*.query.weight [{tp}, {}]\n*.key.weight [{tp}, {}]\n*.value.weight [{tp}, {}]\n"
         "*.attention.output.dense.weight [{}, {tp}]\n*.intermediate.dense.weight [{tp}, {}]\n"
         "*.layer.?.output.dense.weight [{}, {tp}]\n*.word_embeddings.weight [{tp}, {}]\n"
         "cls.predictions.decoder.weight [{tp}, {}]\n";
}

struct ModelCase {
  std::string golden, mesh, pins; // pins: "tp" for those above, then lines
  bool cutsNorms = false;
};

class Models : public Partitioned, public testing::WithParamInterface<ModelCase> {};

TEST_P(Models, AgreeWithOneDevice) {
  moreTolerance = GetParam().cutsNorms ? kCutNormTolerance : 0;
  auto whole = import(GetParam().golden);
  ASSERT_TRUE(whole);
  OwningOpRef<ModuleOp> local = whole->clone();
  std::string pins = GetParam().pins;
  if (StringRef(pins).starts_with("tp\n"))
    pins = getTensorParallelPins(GetParam().golden) + pins.substr(3);
  ASSERT_TRUE(pin(*local, "mesh " + GetParam().mesh + " on host\n" + pins));
  ASSERT_TRUE(partition(*local));
  compareAt(*whole, *local, "forward", {{3, 7}, {1, 1}});
}

std::vector<ModelCase> getModelCases() {
  const std::string data = "input_ids [{dp}, {?}]\n", sequence = "input_ids [{?}, {sp}]\n";
  std::vector<ModelCase> cases;
  for (const char *golden : {"bert-masked-lm-untied", "gpt2", "llama"}) {
    for (const char *dp : {"dp=2", "dp=3", "dp=4"})
      cases.push_back({golden, dp, data});
    for (const char *tp : {"tp=2", "tp=3", "tp=4", "tp=8"})
      cases.push_back({golden, tp, "tp\n"});
    for (const char *sp : {"sp=2", "sp=3"})
      cases.push_back({golden, sp, sequence});
    cases.push_back({golden, "dp=2 tp=2", "tp\n" + data});
    cases.push_back({golden, "dp=2 tp=4", "tp\n" + data});
    cases.push_back({golden, "dp=2 sp=2 tp=2", "tp\ninput_ids [{dp}, {sp}]\n"});
    // Sequence parallelism over the tensor axis between the products (Korthikanti et al., 2022).
    cases.push_back({golden, "tp=4", "tp\ninput_ids [{}, {tp}] priority 1\n"});
  }
  cases.push_back({"llama-one-kv-head", "tp=5", "*.q_proj.weight [{tp}, {}]\n"});
  cases.push_back({"llama", "dp=2 tp=4", // weights spread over the data axis, too
                   "*.q_proj.weight [{tp}, {dp}]\n*.o_proj.weight [{dp}, {tp}]\n"
                   "*.down_proj.weight [{dp}, {}]\ninput_ids [{dp}, {}] priority 1\n",
                   /*cutsNorms=*/true});
  return cases;
}

std::string getCaseName(const testing::TestParamInfo<ModelCase> &info) {
  std::string name = info.param.golden + "_" + info.param.mesh + "_" + std::to_string(info.index);
  for (char &c : name)
    c = llvm::isAlnum(c) ? c : '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, Models, testing::ValuesIn(getModelCases()), getCaseName);

/// A cache whose heads and sequences lie on different ranks: prompts, then token by token.
class Caches : public Partitioned, public testing::WithParamInterface<ModelCase> {};

TEST_P(Caches, AgreeWithOneDevice) {
  auto whole = import(GetParam().golden);
  ASSERT_TRUE(whole);
  OwningOpRef<ModuleOp> local = whole->clone();
  ASSERT_TRUE(pin(*local, "mesh " + GetParam().mesh + " on host\n" +
                              getTensorParallelPins(GetParam().golden) + GetParam().pins));
  ASSERT_TRUE(partition(*local));
  StateStore states(interpreter::drawFromSeed(5));
  auto rankStates = interpreter::makeRankStates(*local, interpreter::drawFromSeed(5));
  for (auto [entry, seq] : {std::pair("prefill", 5), {"prefill", 2}, {"decode", 1}, {"decode", 1}})
    compareStep(*whole, *local, entry,
                makeInputs(whole->lookupSymbol<func::FuncOp>(entry), {{"batch", 3}, {"seq", seq}},
                           static_cast<uint32_t>(seq)),
                states, rankStates);
}

INSTANTIATE_TEST_SUITE_P(All, Caches,
                         testing::Values(ModelCase{"llama", "tp=2", "*_cache [{}, {}, {tp}, {}]\n"},
                                         ModelCase{"llama", "dp=2 tp=2",
                                                   "*_cache [{dp}, {}, {tp}, {}]\nlengths [{dp}]\n"
                                                   "input_ids [{dp}, {}]\n"},
                                         ModelCase{"gpt2", "dp=3 tp=2",
                                                   "*_cache [{dp}, {}, {tp}, {}]\nlengths [{dp}]\n"
                                                   "input_ids [{dp}, {}]\n"}),
                         getCaseName);

//===----------------------------------------------------------------------===//
// Plans of the solver
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Random shardings
//===----------------------------------------------------------------------===//

/// Draws pins for a third of a module's tensors: any axes, whole or in part, on any dimension.
void pinAtRandom(ModuleOp module, std::mt19937 &random) {
  distribution::Shardings shardings(module);
  const dist::Mesh &mesh = shardings.getMesh();
  dist::Axes parts;
  for (const dist::MeshAxis &axis : mesh.axes) {
    int64_t half = axis.size % 2 == 0 && random() % 2 ? 2 : axis.size;
    parts.push_back({axis.name, 1, half});
    if (half < axis.size)
      parts.push_back({axis.name, half, axis.size / half});
  }
  for (auto &tensor : shardings.tensors) {
    if (isa<graph::CacheType>(tensor.type) || random() % 3)
      continue;
    std::shuffle(parts.begin(), parts.end(), random);
    for (auto &dim : tensor.sharding.dims)
      dim.isOpen = random() % 2;
    for (const dist::Axis &part : parts)
      if (size_t dim = random() % (tensor.sharding.dims.size() + 1);
          dim < tensor.sharding.dims.size()) {
        dist::Axes &axes = tensor.sharding.dims[dim].axes;
        axes.push_back(part);
        axes = dist::merge(axes);
      }
  }
  shardings.write();
}

class RandomShardings : public Partitioned, public testing::WithParamInterface<uint32_t> {
protected:
  RandomShardings() { moreTolerance = kCutNormTolerance; }

  void addMesh(ModuleOp module, uint32_t seed) {
    const char *meshes[] = {"a=2", "a=3", "a=4", "a=2 b=2", "a=2 b=4", "a=3 b=2", "a=2 b=2 c=2"};
    ASSERT_TRUE(pin(module, std::string("mesh ") + meshes[seed % 7] + " on host\n"));
  }
};

TEST_P(RandomShardings, OfRandomGraphs) {
  context.loadDialect<graph::GraphDialect, func::FuncDialect>();
  std::mt19937 random(GetParam());
  auto whole = makeRandomGraph(context, GetParam(), /*allOps=*/true);
  ASSERT_TRUE(succeeded(verify(*whole)));
  OwningOpRef<ModuleOp> local = whole->clone();
  addMesh(*local, GetParam());
  pinAtRandom(*local, random);
  ASSERT_TRUE(partition(*local));
  compareAt(*whole, *local, "f", {{1, 1}, {2, 7}, {3, 9}});
}

TEST_P(RandomShardings, OfModels) {
  const char *goldens[] = {"bert-masked-lm-untied", "gpt2", "llama", "roberta-masked-lm"};
  std::mt19937 random(GetParam());
  auto whole = import(goldens[GetParam() % 4]);
  ASSERT_TRUE(whole);
  OwningOpRef<ModuleOp> local = whole->clone();
  for (StringRef entry : {"prefill", "decode"})
    if (auto function = local->lookupSymbol<func::FuncOp>(entry))
      function.erase();
  addMesh(*local, GetParam());
  pinAtRandom(*local, random);
  ASSERT_TRUE(partition(*local));
  compareAt(*whole, *local, "forward", {{3, 5}, {1, 2}});
}

/// How many seeds are tried: ASHLAR_SEEDS of them, for longer searches, or a few.
uint32_t getSeedCount() {
  const char *count = std::getenv("ASHLAR_SEEDS");
  return count ? static_cast<uint32_t>(std::atoi(count)) : 28;
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomShardings, testing::Range(1u, getSeedCount() + 1));

} // namespace
} // namespace ashlar::test
