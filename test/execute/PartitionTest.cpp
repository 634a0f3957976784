// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The proof of partitioning: a module is partitioned, run on every rank of its mesh in this
// process, and compared with the module on one device.

#include "compiler/Distribution/Shardings.h"
#include "dialects/Dist/LocalTypes.h"
#include "test/execute/Partitioned.h"
#include "test/lib/RandomGraph.h"

#include "mlir/IR/Verifier.h"

using namespace ashlar;
using namespace ashlar::test;

namespace {

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

INSTANTIATE_TEST_SUITE_P(All, Models, testing::ValuesIn(getModelCases()), getCaseName);

/// Parameters that are gathered for their use are gathered together, or while others are used.
TEST_F(Partitioned, GathersParametersEarly) {
  auto whole = import("bert-masked-lm-untied");
  ASSERT_TRUE(whole);
  OwningOpRef<ModuleOp> local = whole->clone();
  ASSERT_TRUE(pin(*local, "mesh dp=2 on host\ninput_ids [{dp}, {}]\n*.bias [{dp}] priority 1\n"
                          "*.intermediate.dense.weight [{dp}, {}] priority 1\n"
                          "*.matmul [{dp}, {}, {}]\n*.layer_norm [{dp}, {}, {}]\n"));
  OwningOpRef<ModuleOp> apart = local->clone();
  joinsAndOverlaps = false;
  ASSERT_TRUE(partition(*apart));
  joinsAndOverlaps = true;
  ASSERT_TRUE(partition(*local));
  auto count = [](ModuleOp module, auto op) {
    return llvm::range_size(module.lookupSymbol<func::FuncOp>("forward").getOps<decltype(op)>());
  };
  EXPECT_EQ(count(*apart, dist::WaitOp()), 0);
  EXPECT_GT(count(*local, dist::WaitOp()), 0);
  EXPECT_LT(count(*local, dist::AllGatherOp()), count(*apart, dist::AllGatherOp()) / 2);
  compareAt(*whole, *local, "forward", {{3, 7}, {1, 1}});
}

/// A cache whose heads and sequences lie on different ranks: prompts, then token by token.
class Caches : public Partitioned, public testing::WithParamInterface<ModelCase> {};

TEST_P(Caches, AgreeWithOneDevice) {
  auto whole = import(GetParam().golden);
  ASSERT_TRUE(whole);
  OwningOpRef<ModuleOp> local = whole->clone();
  ASSERT_TRUE(pin(*local, "mesh " + GetParam().mesh + " on host\n" +
                              getTensorParallelPins(GetParam().golden) + GetParam().pins));
  ASSERT_TRUE(partition(*local));
  compareDecoding(*whole, *local);
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

/// Ranks have whole heads of all three parts of GPT-2's merged projection: nothing is moved between
/// its products and attention.
class MergedProjections : public Partitioned {};

TEST_F(MergedProjections, ReachAttentionWithoutCollectives) {
  auto local = import("gpt2");
  ASSERT_TRUE(local);
  ASSERT_TRUE(pin(*local, std::string("mesh dp=3 tp=2 on host\n") + getTensorParallelPins("gpt2") +
                              "input_ids [{dp}, {}]\n"));
  ASSERT_TRUE(partition(*local, /*forPrograms=*/true));
  int products = 0;
  local->walk([&](graph::AttentionOp attention) {
    SmallVector<Value> behind = {attention.getQueries(), attention.getKeys(),
                                 attention.getValues()};
    while (!behind.empty()) {
      Value value = behind.pop_back_val();
      auto type = dyn_cast<RankedTensorType>(value.getType());
      if (!value.getDefiningOp() || (type && !type.getElementType().isF32()))
        continue; // inputs, and where the caches end
      EXPECT_FALSE((isa<dist::CollectiveOpInterface, dist::AllSliceOp>(value.getDefiningOp())))
          << value.getDefiningOp()->getName().getStringRef().str();
      if (auto product = value.getDefiningOp<graph::MatmulOp>()) {
        EXPECT_EQ(cast<RankedTensorType>(product.getB().getType()).getDimSize(1), 13);
        ++products;
        continue;
      }
      llvm::append_range(behind, value.getDefiningOp()->getOperands());
    }
  });
  EXPECT_EQ(products, 3 * 2 * 3); // entry points, layers, parts
}

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
  RandomShardings() {
    moreTolerance = kCutNormTolerance;
    joinsAndOverlaps = GetParam() / 7 % 2 == 0; // on each of the meshes
  }

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
