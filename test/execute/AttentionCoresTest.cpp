// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention whose queries, keys and values a product of bf16 weights makes: on the emulator it runs
// on the tensor cores, against the interpreter with their arithmetic.

#include "compiler/Interpreter/Parameters.h"
#include "test/lib/Execution.h"
#include "test/lib/TensorCoreAttention.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <cmath>
#include <random>

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

struct Case {
  std::string name;
  int64_t heads, keyHeads, width;
  std::string attributes; // of the attention
  bool hasMask, hasCache;
  std::string cache = "f32";
};

constexpr int64_t kDepth = 16, kPositions = 200;

/// x times a merged weight, rounded to bf16 (which the backend does by itself), and attention over
/// its slices, by way of a cache where there is one.
std::string getModule(const Case &test) {
  int64_t q = test.heads * test.width, k = test.keyHeads * test.width, all = q + 2 * k;
  std::string shared = llvm::formatv(R"mlir(
  !x = tensor<?x?x{0}xf32, #graph.dims<[batch, seq, _]>>
  !m = tensor<?x?x{1}xf32, #graph.dims<[batch, seq, _]>>
  !r = tensor<?x?x{1}xbf16, #graph.dims<[batch, seq, _]>>
  !q = tensor<?x?x{2}xf32, #graph.dims<[batch, seq, _]>>
  !k = tensor<?x?x{3}xf32, #graph.dims<[batch, seq, _]>>
  !qh = tensor<?x?x{4}x{6}xf32, #graph.dims<[batch, seq, _, _]>>
  !kh = tensor<?x?x{5}x{6}xf32, #graph.dims<[batch, seq, _, _]>>
  !p = tensor<?x?xi64, #graph.dims<[batch, seq]>>
  !n = tensor<?xi64, #graph.dims<[batch]>>
  !c = !graph.cache<2x{7}x{5}x{6}x{9}>
  graph.dim @batch from 1 to 2
  graph.dim @seq from 1 to {7}
  graph.state parameter model @w init normal stddev 0.5 : tensor<{1}x{0}xbf16>
  graph.state cache session @kc : !c
  graph.state cache session @vc : !c
  graph.state counter session @count : tensor<2xi64>
  func.func @f(%x: !x {{graph.name = "x"}, %mask: !p {{graph.name = "mask"},
               %new: !n {{graph.name = "new"}) -> (!qh {{graph.name = "y"}) attributes {{graph.entry} {{
    %w = graph.read @w : tensor<{1}x{0}xbf16>
    %m0 = graph.matmul %x, %w transpose_b : !x, tensor<{1}x{0}xbf16>
    %m1 = graph.cast %m0 : !m to !r
    %m = graph.cast %m1 : !r to !m
    %q0 = graph.slice %m axis 2 from 0 size {2} : !m
    %q = graph.reshape %q0 : !q to !qh
    %k0 = graph.slice %m axis 2 from {2} size {3} : !m
    %k = graph.reshape %k0 : !k to !kh
    %v0 = graph.slice %m axis 2 from {8} size {3} : !m
    %v = graph.reshape %v0 : !k to !kh
)mlir",
                                     kDepth, all, q, k, test.heads, test.keyHeads, test.width,
                                     kPositions, q + k, test.cache);
  std::string plain =
      "%y, %l = graph.attention %q, %k, %v " + std::string(test.hasMask ? "mask %mask " : "") +
      "scale 0.3 " + test.attributes + " : !qh, !kh, !kh" + (test.hasMask ? " mask !p" : "") + "\n";
  std::string cached = "%kr = graph.read @kc : !c\n%vr = graph.read @vc : !c\n"
                       "%o = graph.read @count : !n\n%t = graph.add %o, %new : !n, !n\n"
                       "%ka = graph.cache_append %kr, %k, %o : !c, !kh, !n\n"
                       "%va = graph.cache_append %vr, %v, %o : !c, !kh, !n\n"
                       "%y, %l = graph.attention %q, %ka, %va offsets %o lengths %t scale 0.3 " +
                       test.attributes +
                       " : !qh, !c, !c offsets !n lengths !n\n"
                       "graph.write %ka, @kc : !c\ngraph.write %va, @vc : !c\n"
                       "graph.write %t, @count : !n\n";
  return shared + (test.hasCache ? cached : plain) + "return %y : !qh\n}\n";
}

class AttentionCores : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    DialectRegistry registry;
    registry
        .insert<graph::GraphDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect>();
    context.appendDialectRegistry(registry);
    module = parseSourceString<ModuleOp>(getModule(GetParam()), &context);
    ASSERT_TRUE(module) << getModule(GetParam());
  }

  std::vector<NamedArray> makeInputs(int64_t seq, uint32_t seed) {
    Builder b(&context);
    Array x(b.getF32Type(), {2, seq, kDepth}), mask(b.getI64Type(), {2, seq}),
        added(b.getI64Type(), {2});
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (double &value : x.floats) // rounded already, as the product rounds it
      value = std::round(normal(random) * 16) / 16;
    for (int64_t &value : mask.integers)
      value = random() % 3 != 0;
    added.integers = {seq, seq};
    return {{"x", std::make_shared<const Array>(std::move(x))},
            {"mask", std::make_shared<const Array>(std::move(mask))},
            {"new", std::make_shared<const Array>(std::move(added))}};
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

/// Whether the attention is attention_mma's: eight warps at these bounds, where the other skeleton
/// has four.
bool usesTensorCores(CompiledModule &compiled) {
  const fb::ProgramT &program = compiled.getSession().program().metadata();
  for (size_t i = 0; i < program.kernels.size(); ++i)
    if (program.kernels[i]->name.find("attention") != std::string::npos)
      return program.device_images[0]->kernels[i]->threads == 256;
  ADD_FAILURE() << "no kernel of attention";
  return false;
}

TEST_P(AttentionCores, AgreeWithInterpreter) {
  const Backend backend = getEmulators().front();
  auto compiled = CompiledModule::create(*module, backend, {"", 7});
  ASSERT_TRUE(compiled);
  EXPECT_TRUE(usesTensorCores(*compiled));
  const interpreter::Evaluations onTensorCores =
      getTensorCoreEvaluations(Builder(&context).getBF16Type());
  interpreter::EvaluateOptions options;
  options.evaluations = &onTensorCores;
  interpreter::StateStore states(interpreter::drawFromSeed(7));
  std::vector<std::vector<NamedArray>> steps;
  for (int64_t seq : {70, 3, 65})
    steps.push_back(makeInputs(seq, static_cast<uint32_t>(seq)));
  for (size_t i = 0; i < steps.size(); ++i) {
    auto expected =
        interpreter::evaluate(module->lookupSymbol<func::FuncOp>("f"), steps[i], states, options);
    ASSERT_TRUE(succeeded(expected));
    auto found = compiled->run("f", steps[i]);
    ASSERT_TRUE(found);
    EXPECT_EQ(
        interpreter::compare(*(*found)[0].array, *(*expected)[0].array, getTolerance(kPositions)),
        "")
        << "step " << i;
    if (GetParam().hasCache)
      continue;
    // A sequence does not depend on what comes with it, to the bit.
    auto alone = compiled->run("f", take(steps[i], 0, 1, 1));
    ASSERT_TRUE(alone);
    expectSameBits(*alone, take(*found, 0, 1, 1), "the second alone");
  }
}

/// Keys and values of f32 that no product made keep all their digits, whatever the queries are.
TEST(AttentionOfInputs, RoundsNothing) {
  MLIRContext context;
  context.loadDialect<graph::GraphDialect, func::FuncDialect>();
  auto module = parseSourceString<ModuleOp>(R"mlir(
    !x = tensor<2x70x16xf32>
    !r = tensor<2x70x16xbf16>
    !h = tensor<2x70x2x8xf32>
    graph.state parameter model @w init normal stddev 0.5 : tensor<16x16xbf16>
    func.func @f(%x: !x {graph.name = "x"}, %k: !h {graph.name = "k"}, %v: !h {graph.name = "v"})
        -> (!h {graph.name = "y"}) attributes {graph.entry} {
      %w = graph.read @w : tensor<16x16xbf16>
      %0 = graph.matmul %x, %w transpose_b : !x, tensor<16x16xbf16>
      %1 = graph.cast %0 : !x to !r
      %2 = graph.cast %1 : !r to !x
      %q = graph.reshape %2 : !x to !h
      %y, %l = graph.attention %q, %k, %v scale 0.3 causal : !h, !h, !h
      return %y : !h
    })mlir",
                                            &context);
  ASSERT_TRUE(module);
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  auto draw = [&](std::vector<int64_t> shape, bool isCoarse) {
    Array array(Builder(&context).getF32Type(), shape);
    for (double &value : array.floats)
      value = isCoarse ? std::round(normal(random) * 16) / 16 : normal(random);
    return std::make_shared<const Array>(std::move(array));
  };
  std::vector<NamedArray> inputs = {{"x", draw({2, 70, 16}, true)},
                                    {"k", draw({2, 70, 2, 8}, false)},
                                    {"v", draw({2, 70, 2, 8}, false)}};
  auto compiled = CompiledModule::create(*module, getEmulators().front(), {"", 7});
  ASSERT_TRUE(compiled);
  EXPECT_FALSE(usesTensorCores(*compiled));
  interpreter::StateStore states(interpreter::drawFromSeed(7));
  auto expected =
      interpreter::evaluate(module->lookupSymbol<func::FuncOp>("f"), inputs, states, {});
  ASSERT_TRUE(succeeded(expected));
  auto found = compiled->run("f", inputs);
  ASSERT_TRUE(found);
  EXPECT_EQ(interpreter::compare(*(*found)[0].array, *(*expected)[0].array, getTolerance(70)), "");
}

INSTANTIATE_TEST_SUITE_P(
    All, AttentionCores,
    testing::Values(Case{"CachedBF16", 4, 2, 16, "causal", false, true, "bf16"},
                    Case{"CachedF16", 4, 2, 16, "causal", false, true, "f16"},
                    Case{"CachedOddBF16", 4, 2, 12, "causal", false, true, "bf16"},
                    Case{"Causal", 4, 2, 16, "causal", false, false},
                    Case{"Padding", 2, 2, 24, "", true, false},
                    Case{"CausalPadding", 3, 1, 12, "causal", true, false},
                    Case{"Window", 2, 2, 32, "causal window 20", false, false},
                    Case{"Cached", 4, 2, 16, "causal", false, true},
                    Case{"CachedWindow", 6, 2, 8, "causal window 30", false, true}),
    [](const auto &info) { return info.param.name; });

} // namespace
} // namespace ashlar::test
