// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of bf16 weights on code that rounds their left operand: equal to the product of the
// rounded operand, and the same bits for a row whatever comes with it. The machines' own
// instructions are emulated where they are missing.

#include "compiler/Interpreter/Parameters.h"
#include "test/lib/Execution.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <cstring>
#include <random>

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

struct Size {
  int64_t depth, columns;
};

/// A product, a gated pair of them, and one with an epilogue.
std::string getModule(Size size) {
  return llvm::formatv(R"mlir(
  !x = tensor<?x{0}xf32, #graph.dims<[seq, _]>>
  !y = tensor<?x{1}xf32, #graph.dims<[seq, _]>>
  !w = tensor<{1}x{0}xbf16>
  graph.dim @seq from 1 to 200
  graph.state parameter model @a init normal stddev 1.0 : !w
  graph.state parameter model @b init normal stddev 0.5 : !w
  func.func @f(%x: !x {{graph.name = "x"}, %z: !y {{graph.name = "z"}) ->
      (!y {{graph.name = "r"}, !y {{graph.name = "s"}) attributes {{graph.entry} {{
    %a = graph.read @a : !w
    %b = graph.read @b : !w
    %p = graph.matmul %x, %a transpose_b : !x, !w
    %r = graph.add %p, %z : !y, !y
    %q = graph.matmul %x, %b transpose_b : !x, !w
    %g = graph.silu %p : !y
    %s = graph.mul %g, %q : !y, !y
    return %r, %s : !y, !y
  }
)mlir",
                       size.depth, size.columns);
}

float roundToBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&value, &bits, sizeof(bits));
  return value;
}

class Bf16Products : public ::testing::TestWithParam<Size> {
protected:
  void SetUp() override {
    DialectRegistry registry;
    registry
        .insert<graph::GraphDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect>();
    context.appendDialectRegistry(registry);
    module = parseSourceString<ModuleOp>(getModule(GetParam()), &context);
    ASSERT_TRUE(module) << getModule(GetParam());
  }

  std::vector<NamedArray> makeInputs(int64_t rows, bool isRounded) {
    Type f32 = Builder(&context).getF32Type();
    Array x(f32, {rows, GetParam().depth}), z(f32, {rows, GetParam().columns});
    std::mt19937 random(11);
    std::normal_distribution<float> normal;
    for (double &value : x.floats)
      value = isRounded ? roundToBf16(normal(random)) : normal(random);
    for (double &value : z.floats)
      value = normal(random);
    return {{"x", std::make_shared<const Array>(std::move(x))},
            {"z", std::make_shared<const Array>(std::move(z))}};
  }

  /// What the interpreter makes of inputs that are rounded already is what the code must make of
  /// them, and of the same inputs before they are rounded.
  void expectAgreement(int64_t rows, CompiledModule &compiled, const std::string &where) {
    interpreter::StateStore states(interpreter::drawFromSeed(7));
    auto expected = interpreter::evaluate(module->lookupSymbol<func::FuncOp>("f"),
                                          makeInputs(rows, true), states, {});
    ASSERT_TRUE(succeeded(expected));
    for (bool isRounded : {true, false}) {
      auto found = compiled.run("f", makeInputs(rows, isRounded));
      ASSERT_TRUE(found);
      for (size_t i = 0; i < expected->size(); ++i)
        EXPECT_EQ(interpreter::compare(*(*found)[i].array, *(*expected)[i].array,
                                       getTolerance(GetParam().depth)),
                  "")
            << where << ", result " << i << (isRounded ? ", rounded" : "");
    }
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_P(Bf16Products, AgreeWithInterpreter) {
  auto models = getRoundingBackends();
  if (models.empty())
    GTEST_SKIP() << "this machine has no AVX-512 to emulate bf16 instructions with";
  for (const Backend &backend : models) {
    auto compiled = CompiledModule::create(*module, backend, {"", 7});
    ASSERT_TRUE(compiled);
    for (int64_t rows : {1, 2, 6, 7, 12, 13, 15, 16, 17, 33, 47, 200})
      if (!backend.isEmulated() || rows == 17 || rows == 200)
        expectAgreement(rows, *compiled, backend.name + ", " + std::to_string(rows) + " rows");
  }
}

TEST_P(Bf16Products, RowsAreIndependent) {
  for (const Backend &backend : getRoundingBackends()) {
    std::vector<NamedArray> inputs = makeInputs(200, false);
    auto two = CompiledModule::create(*module, backend, {"", 7}, 2);
    auto one = CompiledModule::create(*module, backend, {"", 7}, 1);
    ASSERT_TRUE(one && two);
    auto whole = two->run("f", inputs);
    ASSERT_TRUE(whole);
    for (auto [from, count] : {std::pair<int64_t, int64_t>{0, 200}, {7, 1}, {100, 30}, {3, 193}}) {
      auto part = one->run("f", take(inputs, 0, from, count));
      ASSERT_TRUE(part);
      expectSameBits(*part, take(*whole, 0, from, count),
                     backend.name + ", " + std::to_string(count) + " rows");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, Bf16Products,
    ::testing::Values(Size{1, 3}, Size{31, 16}, Size{131, 200}, Size{512, 64}, Size{1100, 70}),
    [](const auto &info) {
      return llvm::formatv("{0}x{1}", info.param.depth, info.param.columns).str();
    });

} // namespace
} // namespace ashlar::test
