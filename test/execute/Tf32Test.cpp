// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of f32 weights in tf32, which is asked for: on the emulator, against the interpreter
// with that rounding of both operands.

#include "compiler/Interpreter/Evaluation.h"
#include "compiler/Interpreter/Parameters.h"
#include "test/lib/Execution.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <cstring>
#include <random>

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::ArrayPtr;
using interpreter::Call;
using interpreter::Evaluations;
using interpreter::NamedArray;

/// To nearest with ten bits behind the point, ties away from zero: cvt.rna.tf32.f32.
ArrayPtr roundToTf32(const Array &array) {
  auto rounded = std::make_shared<Array>(array);
  for (double &value : rounded->floats) {
    float narrow = static_cast<float>(value);
    uint32_t bits;
    std::memcpy(&bits, &narrow, sizeof(bits));
    bits = (bits + (1u << 12)) & ~((1u << 13) - 1);
    std::memcpy(&narrow, &bits, sizeof(narrow));
    value = narrow;
  }
  return rounded;
}

/// The evaluations of all ops, with products of rounded operands.
Evaluations getTf32Evaluations() {
  Evaluations table = Evaluations::all();
  table.add<graph::MatmulOp>([](graph::MatmulOp op, Call &call) {
    Call rounded(op, {roundToTf32(call.operand(0)), roundToTf32(call.operand(1))}, call.states,
                 call.extents, call.place);
    rounded.results = std::move(call.results);
    LogicalResult result = (*Evaluations::all().find(op->getName()))(op, rounded);
    call.results = std::move(rounded.results);
    return result;
  });
  return table;
}

struct Case {
  std::string name;
  int64_t bound, depth, columns; // bound of the rows
  bool isComputed;               // the left operand is a function of the kernel, no matrix
};

std::string getModule(const Case &test) {
  return llvm::formatv(R"mlir(
  !x = tensor<?x{1}xf32, #graph.dims<[seq, _]>>
  !y = tensor<?x{2}xf32, #graph.dims<[seq, _]>>
  !w = tensor<{2}x{1}xf32>
  graph.dim @seq from 1 to {0}
  graph.state parameter model @a init normal stddev 0.3 : !w
  graph.state parameter model @b init normal stddev 0.3 : !w
  func.func @f(%x: !x {{graph.name = "x"}) -> (!y {{graph.name = "y"}) attributes {{graph.entry} {{
    %a = graph.read @a : !w
    %b = graph.read @b : !w
    %y = graph.fused "gate" (%x1 = %x : !x, %a1 = %a : !w, %b1 = %b : !w) -> !y {{
      {3}
      %p = graph.matmul %l, %a1 transpose_b : !x, !w
      %q = graph.matmul %l, %b1 transpose_b : !x, !w
      %g = graph.silu %p : !y
      %m = graph.mul %g, %q : !y, !y
      graph.yield %m : !y
    }
    return %y : !y
  }
)mlir",
                       test.bound, test.depth, test.columns,
                       test.isComputed ? "%l = graph.neg %x1 : !x"
                                       : "%l = graph.reshape %x1 : !x to !x");
}

class Tf32 : public testing::TestWithParam<Case> {};

TEST_P(Tf32, AgreesWithInterpreterThatRounds) {
  const Case &test = GetParam();
  MLIRContext context;
  context.loadDialect<graph::GraphDialect, func::FuncDialect, arith::ArithDialect,
                      math::MathDialect>();
  auto module = parseSourceString<ModuleOp>(getModule(test), &context);
  ASSERT_TRUE(module) << getModule(test);
  auto function = module->lookupSymbol<func::FuncOp>("f");
  const int64_t rows = std::min<int64_t>(test.bound, 70);
  Array x(Builder(&context).getF32Type(), {rows, test.depth});
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (double &value : x.floats)
    value = normal(random);
  std::vector<NamedArray> inputs = {{"x", std::make_shared<const Array>(std::move(x))}};
  interpreter::StateStore states(interpreter::drawFromSeed(7));
  const Evaluations tf32 = getTf32Evaluations();
  interpreter::EvaluateOptions options;
  options.evaluations = &tf32;
  auto rounded = interpreter::evaluate(function, inputs, states, options);
  auto exact = interpreter::evaluate(function, inputs, states, {});
  ASSERT_TRUE(succeeded(rounded) && succeeded(exact));
  // A few rows wait for the weights, however they are multiplied.
  const bool isFew = test.bound <= 8;
  for (const Backend &backend : getEmulators({/*usesTf32=*/true})) {
    auto compiled = CompiledModule::create(*module, backend, {"", 7});
    ASSERT_TRUE(compiled);
    auto found = compiled->run("f", inputs);
    ASSERT_TRUE(found);
    auto compare = [&](const std::vector<NamedArray> &expected) {
      return interpreter::compare(*found->front().array, *expected.front().array,
                                  getTolerance(test.depth));
    };
    EXPECT_EQ(compare(isFew ? *exact : *rounded), "") << backend.name;
    EXPECT_NE(compare(isFew ? *rounded : *exact), "") << backend.name;
    auto part = compiled->run("f", take(inputs, 0, 1, rows - 2));
    ASSERT_TRUE(part);
    expectSameBits(*part, take(*found, 0, 1, rows - 2), backend.name);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Tf32,
                         testing::Values(Case{"FewRows", 8, 40, 24, false},
                                         Case{"SmallTiles", 30, 72, 40, false},
                                         Case{"MediumTiles", 64, 136, 40, true},
                                         Case{"LargeTiles", 200, 72, 72, false},
                                         Case{"RaggedDepth", 200, 77, 131, false}),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace ashlar::test
