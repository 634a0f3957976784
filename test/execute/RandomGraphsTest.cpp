// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random graphs through the whole pipeline against the interpreter: what fusion does to neighbours
// that no model has.

#include "test/lib/Execution.h"
#include "test/lib/RandomGraph.h"

#include "compiler/Interpreter/Parameters.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "gtest/gtest.h"

#include <random>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

class RandomGraphs : public testing::TestWithParam<uint32_t> {};

TEST_P(RandomGraphs, AgreeWithInterpreter) {
  MLIRContext context;
  context.loadDialect<GraphDialect, func::FuncDialect>();
  auto module = makeRandomGraph(context, GetParam());
  ASSERT_TRUE(succeeded(verify(*module)));
  std::mt19937 random(GetParam());
  std::normal_distribution<double> normal;
  for (const Backend &backend : getBackends()) {
    auto compiled = CompiledModule::create(*module, backend, {"", 3});
    ASSERT_TRUE(compiled);
    for (auto [batch, seq] : {std::pair<int64_t, int64_t>{1, 1}, {2, 7}, {3, 9}}) {
      Array x(Float32Type::get(&context), {batch, seq, kRandomGraphWidth});
      for (double &value : x.floats)
        value = static_cast<float>(normal(random));
      std::vector<NamedArray> inputs = {{"x", std::make_shared<const Array>(std::move(x))}};
      interpreter::StateStore states(interpreter::drawFromSeed(3));
      auto expected =
          interpreter::evaluate(module->lookupSymbol<func::FuncOp>("f"), inputs, states, {});
      ASSERT_TRUE(succeeded(expected));
      auto found = compiled->run("f", inputs);
      ASSERT_TRUE(found);
      // Errors of a dozen ops in a row; each is held to less by the tests of ops.
      for (size_t i = 0; i < expected->size(); ++i)
        EXPECT_EQ(
            interpreter::compare(*(*found)[i].array, *(*expected)[i].array, 10 * getTolerance(160)),
            "")
            << backend.name << ", result " << i << ", batch " << batch << ", seq " << seq;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, testing::Range(1u, 17u));

} // namespace
} // namespace ashlar::test
