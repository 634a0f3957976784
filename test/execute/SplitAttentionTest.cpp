// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attention of a few queries to many keys, which is split into parts of the keys on a device: on
// the emulator against the interpreter, from an empty cache to a full one.

#include "compiler/Interpreter/Parameters.h"
#include "compiler/Pipelines/Pipelines.h"
#include "test/lib/Execution.h"
#include "test/lib/TensorCoreAttention.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <cmath>
#include <random>

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

constexpr int64_t kPositions = 200; // four parts of 64

std::vector<NamedArray> toInputs(std::vector<std::pair<std::string, Array>> arrays) {
  std::vector<NamedArray> inputs;
  for (auto &[name, array] : arrays)
    inputs.push_back({name, std::make_shared<const Array>(std::move(array))});
  return inputs;
}

class Draws {
public:
  explicit Draws(MLIRContext &context) : builder(&context) {}

  Array floats(std::vector<int64_t> shape) {
    Array array(builder.getF32Type(), shape);
    for (double &value : array.floats) // bf16 holds them
      value = std::round(normal(random) * 16) / 16;
    return array;
  }
  Array integers(std::vector<int64_t> values) {
    Array array(builder.getI64Type(), {static_cast<int64_t>(values.size())});
    array.integers = std::move(values);
    return array;
  }
  Array mask(std::vector<int64_t> shape) {
    Array array(builder.getI64Type(), shape);
    for (int64_t &value : array.integers)
      value = random() % 3 != 0;
    return array;
  }

private:
  Builder builder;
  std::mt19937 random{17};
  std::normal_distribution<float> normal;
};

bool hasKernel(CompiledModule &compiled, StringRef name) {
  return llvm::any_of(compiled.getSession().program().metadata().kernels,
                      [&](const auto &kernel) { return kernel->name == name; });
}

struct Case {
  std::string name;
  int64_t heads, keyHeads, width;
  std::string attributes; // of the attention
  bool onTensorCores;     // queries of a product of bf16 weights, more than 16 rows
  std::string cache = "f32";
};

/// "fill" puts keys and values into the caches, "step" one more of each, and attends to all.
std::string getModule(const Case &test) {
  std::string product = "%w = graph.read @w : !w\n"
                        "%p0 = graph.matmul %x, %w transpose_b : !x, !w\n"
                        "%p1 = graph.cast %p0 : !x to !b\n%p = graph.cast %p1 : !b to !x\n"
                        "%q = graph.reshape %p : !x to !q\n";
  return llvm::formatv(R"mlir(
  !x = tensor<?x1x{4}xf32, #graph.dims<[batch, _, _]>>
  !b = tensor<?x1x{4}xbf16, #graph.dims<[batch, _, _]>>
  !w = tensor<{4}x{4}xbf16>
  !q = tensor<?x1x{0}x{2}xf32, #graph.dims<[batch, _, _, _]>>
  !k = tensor<?x1x{1}x{2}xf32, #graph.dims<[batch, _, _, _]>>
  !s = tensor<?x?x{1}x{2}xf32, #graph.dims<[batch, seq, _, _]>>
  !n = tensor<?xi64, #graph.dims<[batch]>>
  !c = !graph.cache<2x{3}x{1}x{2}x{7}>
  graph.dim @batch from 1 to 2
  graph.dim @seq from 1 to {3}
  graph.state parameter model @w init normal stddev 0.5 : !w
  graph.state cache session @kc : !c
  graph.state cache session @vc : !c
  graph.state counter session @count : tensor<2xi64>
  func.func @fill(%k: !s {{graph.name = "k"}, %v: !s {{graph.name = "v"}, %new: !n {{graph.name = "new"})
      -> (!n {{graph.name = "total"}) attributes {{graph.entry} {{
    %kr = graph.read @kc : !c
    %vr = graph.read @vc : !c
    %o = graph.read @count : !n
    %t = graph.add %o, %new : !n, !n
    %ka = graph.cache_append %kr, %k, %o : !c, !s, !n
    %va = graph.cache_append %vr, %v, %o : !c, !s, !n
    graph.write %ka, @kc : !c
    graph.write %va, @vc : !c
    graph.write %t, @count : !n
    return %t : !n
  }
  func.func @step(%x: !x {{graph.name = "x"}, %k: !k {{graph.name = "k"}, %v: !k {{graph.name = "v"})
      -> (!x {{graph.name = "y"}) attributes {{graph.entry} {{
    {5}
    %kr = graph.read @kc : !c
    %vr = graph.read @vc : !c
    %o = graph.read @count : !n
    %one = graph.constant dense<1> : tensor<i64>
    %t = graph.add %o, %one : !n, tensor<i64>
    %ka = graph.cache_append %kr, %k, %o : !c, !k, !n
    %va = graph.cache_append %vr, %v, %o : !c, !k, !n
    %y, %l = graph.attention %q, %ka, %va offsets %o lengths %t scale 0.3 {6} : !q, !c, !c offsets !n lengths !n
    %r = graph.reshape %y : !q to !x
    graph.write %ka, @kc : !c
    graph.write %va, @vc : !c
    graph.write %t, @count : !n
    return %r : !x
  }
)mlir",
                       test.heads, test.keyHeads, test.width, kPositions, test.heads * test.width,
                       test.onTensorCores ? product : "%q = graph.reshape %x : !x to !q\n",
                       test.attributes, test.cache);
}

class SplitAttention : public testing::TestWithParam<Case> {
protected:
  SplitAttention() {
    context.loadDialect<graph::GraphDialect, func::FuncDialect, arith::ArithDialect,
                        math::MathDialect>();
  }

  /// Entry and inputs of steps that take the caches from nothing to all there is room for.
  std::vector<std::pair<std::string, std::vector<NamedArray>>> makeSteps() {
    const Case &test = GetParam();
    Draws draw(context);
    std::vector<std::pair<std::string, std::vector<NamedArray>>> steps;
    auto step = [&] {
      steps.emplace_back("step", toInputs({{"x", draw.floats({2, 1, test.heads * test.width})},
                                           {"k", draw.floats({2, 1, test.keyHeads, test.width})},
                                           {"v", draw.floats({2, 1, test.keyHeads, test.width})}}));
    };
    auto fill = [&](int64_t seq, std::vector<int64_t> added) {
      steps.emplace_back("fill", toInputs({{"k", draw.floats({2, seq, test.keyHeads, test.width})},
                                           {"v", draw.floats({2, seq, test.keyHeads, test.width})},
                                           {"new", draw.integers(std::move(added))}}));
    };
    step(); // 0 and 0 positions before
    fill(70, {62, 70});
    step();               // 63 and 71: a whole part, and a part and some
    step();               // 64 and 72
    fill(127, {127, 20}); // 65 and 73
    step();               // 192 and 93
    fill(7, {6, 1});
    step(); // 199 and 95: all there is room for
    return steps;
  }

  MLIRContext context;
};

TEST_P(SplitAttention, AgreesWithInterpreter) {
  auto module = parseSourceString<ModuleOp>(getModule(GetParam()), &context);
  ASSERT_TRUE(module) << getModule(GetParam());
  const Backend backend = getEmulators().front();
  auto compiled = CompiledModule::create(*module, backend, {"", 7});
  auto alone = CompiledModule::create(*module, backend, {"", 7});
  ASSERT_TRUE(compiled && alone);
  EXPECT_TRUE(hasKernel(*compiled, "merge_attention"));
  // What the tensor cores round depends on the part that they round it in.
  interpreter::EvaluateOptions options;
  const interpreter::Evaluations onTensorCores =
      getTensorCoreEvaluations(Builder(&context).getBF16Type());
  if (GetParam().onTensorCores) {
    PassManager manager(&context);
    addFusionPipeline(manager);
    addTargetPipeline(manager, *backend.target);
    ASSERT_TRUE(succeeded(manager.run(*module)));
    options.evaluations = &onTensorCores;
  }
  interpreter::StateStore states(interpreter::drawFromSeed(7));
  for (auto [number, step] : llvm::enumerate(makeSteps())) {
    auto &[entry, inputs] = step;
    auto expected =
        interpreter::evaluate(module->lookupSymbol<func::FuncOp>(entry), inputs, states, options);
    ASSERT_TRUE(succeeded(expected));
    auto found = compiled->run(entry, inputs);
    ASSERT_TRUE(found);
    EXPECT_EQ(
        interpreter::compare(*(*found)[0].array, *(*expected)[0].array, getTolerance(kPositions)),
        "")
        << entry << ", step " << number;
    // A sequence does not depend on what comes with it, to the bit.
    auto first = alone->run(entry, take(inputs, 0, 0, 1));
    ASSERT_TRUE(first);
    expectSameBits(*first, take(*found, 0, 0, 1), "step " + std::to_string(number));
  }
}

INSTANTIATE_TEST_SUITE_P(All, SplitAttention,
                         testing::Values(Case{"Causal", 2, 2, 16, "causal", false},
                                         Case{"SharedKeys", 6, 2, 12, "causal", false},
                                         Case{"Window", 4, 2, 8, "causal window 70", false},
                                         Case{"ManyRows", 20, 1, 8, "causal", false},
                                         Case{"TensorCores", 40, 2, 8, "causal", true}),
                         [](const auto &info) { return info.param.name; });

/// In 16 bits, and whatever the number of rows, lanes of a row and pieces of a lane are.
INSTANTIATE_TEST_SUITE_P(
    Narrow, SplitAttention,
    testing::Values(Case{"OneRow", 1, 1, 128, "causal", false, "bf16"},
                    Case{"TwoRows", 4, 2, 64, "causal window 70", false, "f16"},
                    Case{"FourRows", 4, 1, 128, "causal", false, "bf16"},
                    Case{"TwoTiles", 12, 1, 72, "causal", false, "f16"},
                    Case{"WideRows", 2, 1, 256, "causal", false, "f32"},
                    Case{"OddRows", 6, 2, 12, "causal", false, "bf16"},
                    Case{"ManyRows", 20, 1, 8, "causal", false, "f16"},
                    Case{"TensorCores", 40, 2, 8, "causal", true, "bf16"},
                    Case{"TensorCoresOfAnother", 40, 2, 8, "causal", true, "f16"}),
    [](const auto &info) { return info.param.name; });

/// Keys that are no cache, with padding; one sequence sees nothing at all, and of another a key is
/// not a number in the end, which its results show.
TEST(SplitAttentionToTensors, AgreesWithInterpreter) {
  MLIRContext context;
  context.loadDialect<graph::GraphDialect, func::FuncDialect, arith::ArithDialect,
                      math::MathDialect>();
  auto module = parseSourceString<ModuleOp>(R"mlir(
    !q = tensor<?x3x4x8xf32, #graph.dims<[batch, _, _, _]>>
    !k = tensor<?x?x2x8xf32, #graph.dims<[batch, keys, _, _]>>
    !m = tensor<?x?xi64, #graph.dims<[batch, keys]>>
    graph.dim @batch from 1 to 3
    graph.dim @keys from 1 to 150
    func.func @f(%q: !q {graph.name = "q"}, %k: !k {graph.name = "k"}, %v: !k {graph.name = "v"},
                 %m: !m {graph.name = "m"}) -> (!q {graph.name = "y"}) attributes {graph.entry} {
      %y, %l = graph.attention %q, %k, %v mask %m scale 0.4 : !q, !k, !k mask !m
      return %y : !q
    })mlir",
                                            &context);
  ASSERT_TRUE(module);
  auto compiled = CompiledModule::create(*module, getEmulators().front(), {"", 7});
  ASSERT_TRUE(compiled);
  EXPECT_TRUE(hasKernel(*compiled, "merge_attention"));
  Draws draw(context);
  for (int64_t keys : {1, 64, 65, 150}) {
    Array mask = draw.mask({3, keys});
    std::fill_n(mask.integers.begin() + keys, keys, 0);
    std::vector<NamedArray> inputs = toInputs({{"q", draw.floats({3, 3, 4, 8})},
                                               {"k", draw.floats({3, keys, 2, 8})},
                                               {"v", draw.floats({3, keys, 2, 8})},
                                               {"m", std::move(mask)}});
    interpreter::StateStore states;
    auto expected =
        interpreter::evaluate(module->lookupSymbol<func::FuncOp>("f"), inputs, states, {});
    ASSERT_TRUE(succeeded(expected));
    auto found = compiled->run("f", inputs);
    ASSERT_TRUE(found);
    EXPECT_EQ(interpreter::compare(*(*found)[0].array, *(*expected)[0].array, getTolerance(keys)),
              "")
        << keys << " keys";
    if (keys < 150)
      continue;
    Array broken = *inputs[1].array, visible = *inputs[3].array;
    broken.floats[100 * 2 * 8] = NAN; // of sequence 0 and key head 0, in the second part
    visible.integers[100] = 1;
    inputs[1].array = std::make_shared<const Array>(std::move(broken));
    inputs[3].array = std::make_shared<const Array>(std::move(visible));
    auto shown = compiled->run("f", inputs);
    ASSERT_TRUE(shown);
    for (int64_t row = 0; row < 3 * 3; ++row)
      for (int64_t i = 0; i < 4 * 8; ++i)
        EXPECT_EQ(std::isnan((*shown)[0].array->floats[row * 4 * 8 + i]), row < 3 && i < 2 * 8)
            << "row " << row << ", element " << i;
  }
}

} // namespace
} // namespace ashlar::test
