// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole modules that a person might write and no importer does, on each backend against the
// interpreter.

#include "test/execute/ModuleCases.h"
#include "test/lib/Execution.h"

#include "compiler/Interpreter/Parameters.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <random>

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

/// Arguments "%NAME: TYPE", each named as it is written.
std::string toText(const ModuleCase &test) {
  return "graph.dim @batch from 1 to 3\ngraph.dim @seq from 1 to 40\n" + test.declarations +
         "\nfunc.func @f" + test.signature + " attributes {graph.entry} {\n" + test.body + "\n}\n";
}

class Modules : public testing::TestWithParam<ModuleCase> {
protected:
  std::vector<NamedArray> makeInputs(func::FuncOp function, int64_t batch, int64_t seq) {
    std::mt19937 random(static_cast<uint32_t>(batch * 100 + seq));
    std::normal_distribution<float> normal;
    std::vector<NamedArray> inputs;
    for (BlockArgument argument : function.getArguments()) {
      auto type = cast<RankedTensorType>(argument.getType());
      std::vector<int64_t> shape;
      for (const graph::Dim &dim : graph::getDims(type))
        shape.push_back(dim.isNumber() ? dim.size : dim.name.getValue() == "batch" ? batch : seq);
      Array array(type.getElementType(), shape);
      for (double &value : array.floats)
        value = normal(random);
      for (int64_t &value : array.integers)
        value = random() % (type.getElementType().isInteger(1) ? 2 : 4);
      auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), graph::kNameAttr);
      inputs.push_back({name.str(), std::make_shared<const Array>(std::move(array))});
    }
    return inputs;
  }
};

TEST_P(Modules, AgreeWithInterpreter) {
  DialectRegistry registry;
  registry.insert<graph::GraphDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect>();
  MLIRContext context(registry);
  auto module = parseSourceString<ModuleOp>(toText(GetParam()), &context);
  ASSERT_TRUE(module) << toText(GetParam());
  auto function = module->lookupSymbol<func::FuncOp>("f");
  for (const Backend &backend : getBackends())
    for (auto [batch, seq] : {std::pair<int64_t, int64_t>{1, 1}, {2, 5}, {3, 40}}) {
      auto compiled = CompiledModule::create(*module, backend, {"", 7});
      ASSERT_TRUE(compiled);
      double tolerance = widenTolerance(getTolerance(64), backend, *module);
      interpreter::StateStore states(interpreter::drawFromSeed(7));
      for (int64_t step = 0; step < GetParam().steps; ++step) {
        std::vector<NamedArray> inputs = makeInputs(function, batch, seq);
        auto expected = interpreter::evaluate(function, inputs, states, {});
        ASSERT_TRUE(succeeded(expected));
        auto found = compiled->run("f", inputs);
        ASSERT_TRUE(found);
        for (size_t i = 0; i < expected->size(); ++i)
          EXPECT_EQ(interpreter::compare(*(*found)[i].array, *(*expected)[i].array, tolerance), "")
              << backend.name << ", result " << i << ", batch " << batch << ", seq " << seq
              << ", step " << step;
      }
    }
}

const auto getName = [](const auto &info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(All, Modules, testing::ValuesIn(getModuleCases()), getName);
INSTANTIATE_TEST_SUITE_P(NarrowCaches, Modules, testing::ValuesIn(getNarrowCacheCases()), getName);
INSTANTIATE_TEST_SUITE_P(Moved, Modules, testing::ValuesIn(getMovedCases()), getName);

} // namespace
} // namespace ashlar::test
