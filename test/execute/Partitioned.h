// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the proofs of plans have in common: models on one device and on the ranks of a mesh, both
// run by the interpreter.

#ifndef ASHLAR_TEST_EXECUTE_PARTITIONED_H
#define ASHLAR_TEST_EXECUTE_PARTITIONED_H

#include "compiler/Distribution/Passes.h"
#include "compiler/Distribution/Plan/PlanFile.h"
#include "compiler/Import/HuggingFace.h"
#include "compiler/Interpreter/Parameters.h"
#include "compiler/Interpreter/Ranks.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "gtest/gtest.h"

#include <random>

namespace ashlar::test {

using namespace mlir;
using interpreter::Array;
using interpreter::NamedArray;
using interpreter::StateStore;

/// Both sides compute in f64 and differ in the order of sums alone: 2^-53 per addition, growing as
/// the square root of `length` additions (Higham and Mary, 2019), over some 50 ops in a row, each
/// of which may double what came in relative to the largest value.
inline double getTolerance(int64_t length) {
  return 50 * 2 * 1.11e-16 * std::sqrt(static_cast<double>(length));
}

/// A norm whose row is cut adds its epsilon as an f32 constant, up to 2^-24 beside the number that
/// one device adds; what follows may double it a few times.
inline constexpr double kCutNormTolerance = 8 * 6e-8;

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

  /// Partitions a module that carries its annotations, and cuts it into the stages that its mesh
  /// has.
  bool partition(ModuleOp module, bool forPrograms = false) {
    PassManager manager(&context);
    manager.addPass(createPropagateShardingPass());
    manager.addPass(createPartitionPass(PartitionPassOptions{/*report=*/false, forPrograms}));
    manager.addPass(createCSEPass());
    manager.addPass(createCutStagesPass(CutStagesPassOptions{/*report=*/false}));
    if (joinsAndOverlaps) {
      manager.addPass(createBucketCollectivesPass(BucketCollectivesPassOptions{/*report=*/false}));
      manager.addPass(
          createOverlapCollectivesPass(OverlapCollectivesPassOptions{/*report=*/false}));
    }
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

  /// The function of an entry point, or those of its stages.
  static SmallVector<func::FuncOp> getFunctions(ModuleOp module, StringRef entry) {
    SmallVector<func::FuncOp> functions;
    for (auto function : module.getOps<func::FuncOp>()) {
      auto stage = function->getAttrOfType<dist::StageAttr>(dist::kStageAttr);
      if (stage ? stage.getEntry() == entry : function.getSymName() == entry)
        functions.push_back(function);
    }
    return functions;
  }

  /// Runs an entry point of both modules, with states that live on; the last
  /// stage of every rank gives all results.
  void compareStep(ModuleOp whole, ModuleOp local, StringRef entry,
                   const std::vector<NamedArray> &inputs, StateStore &states,
                   std::vector<StateStore> &rankStates) {
    auto expected =
        interpreter::evaluate(whole.lookupSymbol<func::FuncOp>(entry), inputs, states, {});
    ASSERT_TRUE(succeeded(expected));
    SmallVector<func::FuncOp> functions = getFunctions(local, entry);
    auto found = interpreter::evaluateOnRanks(functions, inputs, rankStates, {});
    ASSERT_TRUE(succeeded(found));
    auto givesResults = [](func::FuncOp function) { return function.getNumResults() > 0; };
    ASSERT_EQ(found->size(), expected->size() * llvm::count_if(functions, givesResults));
    for (size_t i = 0; i < found->size(); ++i)
      EXPECT_EQ(interpreter::compare(*(*found)[i].array, *(*expected)[i % expected->size()].array,
                                     getTolerance(200) + moreTolerance),
                "")
          << entry.str() << ": " << (*found)[i].name;
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

  /// A prompt in two pieces, and two tokens, in caches.
  void compareDecoding(ModuleOp whole, ModuleOp local) {
    StateStore states(interpreter::drawFromSeed(5));
    auto rankStates = interpreter::makeRankStates(local, interpreter::drawFromSeed(5));
    for (auto [entry, seq] :
         {std::pair("prefill", 5), {"prefill", 2}, {"decode", 1}, {"decode", 1}})
      compareStep(whole, local, entry,
                  makeInputs(whole.lookupSymbol<func::FuncOp>(entry), {{"batch", 3}, {"seq", seq}},
                             static_cast<uint32_t>(seq)),
                  states, rankStates);
  }

  MLIRContext context;
  double moreTolerance = 0;
  bool joinsAndOverlaps = true; // collectives
};

/// Tensor parallelism as Megatron-LM cuts it (Shoeybi et al., 2019): what makes heads and the inner
/// features by columns, what takes them by rows, vocabularies by rows.
inline const char *getTensorParallelPins(StringRef golden) {
  if (golden.starts_with("llama"))
    return "*.q_proj.weight [{tp}, {}]\n*.k_proj.weight [{tp}, {}]\n*.v_proj.weight [{tp}, {}]\n"
           "*.o_proj.weight [{}, {tp}]\n*.gate_proj.weight [{tp}, {}]\n"
           "*.up_proj.weight [{tp}, {}]\n*.down_proj.weight [{}, {tp}]\n"
           "model.embed_tokens.weight [{tp}, {}]\nlm_head.weight [{tp}, {}]\n";
  if (golden.starts_with("gpt2"))
    return "*.attn.c_attn.*.weight [{}, {tp}]\n*.attn.c_proj.weight [{tp}, {}]\n"
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

inline std::string getCaseName(const testing::TestParamInfo<ModelCase> &info) {
  std::string name = info.param.golden + "_" + info.param.mesh + "_" + std::to_string(info.index);
  for (char &c : name)
    c = llvm::isAlnum(c) ? c : '_';
  return name;
}

} // namespace ashlar::test

#endif
