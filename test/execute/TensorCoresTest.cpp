// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of 16-bit weights whose left operand another kernel makes, and rounds: on the emulator,
// with the kernels of sm_80 and of sm_90a, against the interpreter, whatever tiles the bounds
// choose.

#include "compiler/Interpreter/Parameters.h"
#include "test/lib/Execution.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <random>

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

struct Case {
  std::string name, weight;
  int64_t depth, columns, bound; // of the rows
  std::string skeleton;          // that sm_90a's kernel has
};

/// A norm that a product and the sum behind it read, a gated pair, a product of its result; what is
/// rounded is written so, which changes nothing on a backend that rounds by itself.
std::string getModule(const Case &test) {
  return llvm::formatv(R"mlir(
  !x = tensor<?x{0}xf32, #graph.dims<[seq, _]>>
  !h = tensor<?x{0}x{2}, #graph.dims<[seq, _]>>
  !y = tensor<?x{1}xf32, #graph.dims<[seq, _]>>
  !k = tensor<?x{1}x{2}, #graph.dims<[seq, _]>>
  !w = tensor<{1}x{0}x{2}>
  !v = tensor<{0}x{1}x{2}>
  graph.dim @seq from 1 to {3}
  graph.state parameter model @gain init normal stddev 1.0 : tensor<{0}xf32>
  graph.state parameter model @a init normal stddev 0.5 : !w
  graph.state parameter model @b init normal stddev 0.5 : !w
  graph.state parameter model @c init normal stddev 0.5 : !v
  func.func @f(%x: !x {{graph.name = "x"}) -> (!y {{graph.name = "r"}, !x {{graph.name = "s"})
      attributes {{graph.entry} {{
    %gain = graph.read @gain : tensor<{0}xf32>
    %a = graph.read @a : !w
    %b = graph.read @b : !w
    %c = graph.read @c : !v
    %n = graph.rms_norm %x, %gain epsilon 1.0e-05 : !x, tensor<{0}xf32>
    %n1 = graph.cast %n : !x to !h
    %n2 = graph.cast %n1 : !h to !x
    %p = graph.matmul %n2, %a transpose_b : !x, !w
    %q = graph.matmul %n2, %b transpose_b : !x, !w
    %g = graph.silu %p : !y
    %m = graph.mul %g, %q : !y, !y
    %m1 = graph.cast %m : !y to !k
    %m2 = graph.cast %m1 : !k to !y
    %o = graph.matmul %m2, %c transpose_b : !y, !v
    %s = graph.add %o, %x : !x, !x
    %r = graph.neg %m2 : !y
    return %r, %s : !y, !x
  }
)mlir",
                       test.depth, test.columns, test.weight, test.bound);
}

class TensorCores : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    DialectRegistry registry;
    registry
        .insert<graph::GraphDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect>();
    context.appendDialectRegistry(registry);
    module = parseSourceString<ModuleOp>(getModule(GetParam()), &context);
    ASSERT_TRUE(module) << getModule(GetParam());
  }

  std::vector<NamedArray> makeInputs(int64_t rows) {
    Array x(Builder(&context).getF32Type(), {rows, GetParam().depth});
    std::mt19937 random(11);
    std::normal_distribution<float> normal;
    for (double &value : x.floats)
      value = normal(random);
    return {{"x", std::make_shared<const Array>(std::move(x))}};
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_P(TensorCores, AgreeWithInterpreter) {
  const int64_t rows = std::min<int64_t>(GetParam().bound, 135);
  for (const Backend &backend : getEmulators()) {
    auto compiled = CompiledModule::create(*module, backend, {"", 7});
    ASSERT_TRUE(compiled);
    auto whole = compiled->run("f", makeInputs(rows));
    ASSERT_TRUE(whole);
    interpreter::StateStore states(interpreter::drawFromSeed(7));
    auto expected = interpreter::evaluate(module->lookupSymbol<func::FuncOp>("f"), makeInputs(rows),
                                          states, {});
    ASSERT_TRUE(succeeded(expected));
    // Rounding between the products can go either way.
    for (size_t i = 0; i < expected->size(); ++i)
      EXPECT_EQ(interpreter::compare(*(*whole)[i].array, *(*expected)[i].array, 0x1p-7), "")
          << backend.name << ", result " << i;
    auto part = compiled->run("f", take(makeInputs(rows), 0, 33, 30));
    ASSERT_TRUE(part);
    expectSameBits(*part, take(*whole, 0, 33, 30), backend.name);
    const fb::ProgramT &program = compiled->getSession().program().metadata();
    bool isMapped = false;
    for (const auto &kernel : program.device_images[0]->kernels)
      isMapped |= !kernel->tensor_maps.empty();
    EXPECT_EQ(isMapped, backend.name == "cuda-emulator_90a" && GetParam().skeleton == "wgmma");
  }
}

/// A product of the activations of `count` products of one left operand, which fusion would put
/// into one kernel if there were registers for it.
std::string getGates(int64_t count, int64_t bound) {
  std::string states, body, last = "%s0";
  for (int64_t i = 0; i < count; ++i) {
    states += llvm::formatv("graph.state parameter model @w{0} init normal stddev 0.2 : !w\n", i);
    body += llvm::formatv("%w{0} = graph.read @w{0} : !w\n"
                          "%p{0} = graph.matmul %a, %w{0} transpose_b : !x, !w\n"
                          "%s{0} = graph.tanh %p{0} : !y\n",
                          i);
  }
  for (int64_t i = 1; i < count; ++i) {
    body += llvm::formatv("%t{0} = graph.add {1}, %s{0} : !y, !y\n", i, last);
    last = llvm::formatv("%t{0}", i);
  }
  return llvm::formatv(R"mlir(
  !x = tensor<?x72xf32, #graph.dims<[seq, _]>>
  !h = tensor<?x72xbf16, #graph.dims<[seq, _]>>
  !y = tensor<?x40xf32, #graph.dims<[seq, _]>>
  !w = tensor<40x72xbf16>
  graph.dim @seq from 1 to {0}
  {1}
  func.func @f(%x: !x {{graph.name = "x"}) -> (!y {{graph.name = "y"}) attributes {{graph.entry} {{
    %n = graph.neg %x : !x
    %h = graph.cast %n : !x to !h
    %a = graph.cast %h : !h to !x
    {2}
    return {3} : !y
  }
)mlir",
                       bound, states, body, last);
}

TEST(Gates, AreMadeInAsManyKernelsAsRegistersAskFor) {
  MLIRContext context;
  context.loadDialect<graph::GraphDialect, func::FuncDialect>();
  for (int64_t count : {3, 4, 5, 9})
    for (int64_t bound : {4, 100}) {
      SCOPED_TRACE(testing::Message() << count << " products, " << bound << " rows");
      auto module = parseSourceString<ModuleOp>(getGates(count, bound), &context);
      ASSERT_TRUE(module) << getGates(count, bound);
      Array x(Builder(&context).getF32Type(), {bound, 72});
      for (size_t i = 0; i < x.floats.size(); ++i)
        x.floats[i] = static_cast<float>(i * 37 % 101) / 100 - 0.5f;
      std::vector<NamedArray> inputs = {{"x", std::make_shared<const Array>(std::move(x))}};
      for (const Backend &backend : getEmulators()) {
        auto compiled = CompiledModule::create(*module, backend, {"", 7});
        ASSERT_TRUE(compiled) << backend.name;
        auto found = compiled->run("f", inputs);
        ASSERT_TRUE(found);
        interpreter::StateStore states(interpreter::drawFromSeed(7));
        auto expected =
            interpreter::evaluate(module->lookupSymbol<func::FuncOp>("f"), inputs, states, {});
        ASSERT_TRUE(succeeded(expected));
        EXPECT_EQ(
            interpreter::compare(*found->front().array, *expected->front().array, getTolerance(72)),
            "")
            << backend.name;
      }
    }
}

INSTANTIATE_TEST_SUITE_P(All, TensorCores,
                         testing::Values(Case{"NarrowTiles", "bf16", 136, 72, 200, "wgmma"},
                                         Case{"WideTiles", "bf16", 136, 264, 20000, "wgmma"},
                                         Case{"HalfPrecision", "f16", 72, 136, 20000, "wgmma"},
                                         Case{"RaggedDepth", "bf16", 77, 131, 200, "mma"},
                                         Case{"FewerRows", "bf16", 136, 72, 64, "mma"}),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace ashlar::test
