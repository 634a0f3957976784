// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random graphs through the whole pipeline against the interpreter: what fusion does to neighbours
// that no model has.

#include "test/lib/Execution.h"

#include "compiler/Interpreter/Parameters.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Verifier.h"
#include "gtest/gtest.h"

#include <random>

using namespace mlir;
using namespace ashlar::graph;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

/// Grows a function over values [batch, seq, width] of different widths.
class RandomGraph {
public:
  RandomGraph(MLIRContext &context, uint32_t seed)
      : module(ModuleOp::create(UnknownLoc::get(&context))), b(UnknownLoc::get(&context), &context),
        random(seed) {
    b.setInsertionPointToEnd(module->getBody());
    DimOp::create(b, "batch", 1, 3, nullptr, nullptr);
    DimOp::create(b, "seq", 1, 9, nullptr, nullptr);
    leading = {Dim::named(b.getStringAttr("batch")), Dim::named(b.getStringAttr("seq"))};
    RankedTensorType type = tensor(inputWidth);
    auto function = func::FuncOp::create(b, "f", b.getFunctionType({type}, {}));
    function.setArgAttr(0, kNameAttr, b.getStringAttr("x"));
    Block *block = function.addEntryBlock();
    b.setInsertionPointToEnd(block);
    values.push_back(block->getArgument(0));
    for (int i = 0; i < 14; ++i)
      grow();
    finish(function);
  }

  OwningOpRef<ModuleOp> module;
  static constexpr int64_t inputWidth = 24;

private:
  int64_t pick(int64_t count) {
    return static_cast<int64_t>(random() % static_cast<uint32_t>(count));
  }
  Value pickValue() { return values[pick(static_cast<int64_t>(values.size()))]; }
  int64_t widthOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape().back(); }
  RankedTensorType tensor(int64_t width) {
    Dims dims = leading;
    dims.push_back(Dim::number(width));
    return getTensor(dims, b.getF32Type());
  }

  Value parameter(ArrayRef<int64_t> shape) {
    auto type = RankedTensorType::get(shape, b.getF32Type());
    std::string name = "p" + std::to_string(parameters++);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module->getBody());
    StateOp::create(b, StateRole::Parameter, StateScope::Model, name, type, nullptr,
                    InitKindAttr::get(b.getContext(), InitKind::Normal), b.getF32FloatAttr(0.3f));
    b.setInsertionPointToStart(&module->lookupSymbol<func::FuncOp>("f").getBody().front());
    return ReadOp::create(b, type, name);
  }

  Value attend(Value x) {
    int64_t width = widthOf(x), heads = width % 4 == 0 ? 4 : 1;
    Dims dims = leading;
    dims.append({Dim::number(heads), Dim::number(width / heads)});
    Value q = ReshapeOp::create(b, getTensor(dims, b.getF32Type()), x);
    Value k = ReshapeOp::create(b, q.getType(), NegOp::create(b, x));
    auto attention = AttentionOp::create(b, q, k, q, Value(), Value(), Value(), llvm::APFloat(0.7),
                                         pick(2) == 0, nullptr);
    return ReshapeOp::create(b, x.getType(), attention.getOutput());
  }

  Value norm(Value x) {
    Value scale = parameter({widthOf(x)});
    if (pick(2))
      return RmsNormOp::create(b, x, scale, llvm::APFloat(1e-3));
    return LayerNormOp::create(b, x, scale, parameter({widthOf(x)}), llvm::APFloat(1e-3));
  }

  Value combine(Value x) {
    Value y = pickValue();
    if (widthOf(y) != widthOf(x))
      return ConcatOp::create(b, ValueRange{x, y}, 2);
    if (pick(2))
      return AddOp::create(b, x, y);
    return MulOp::create(b, TanhOp::create(b, x), y);
  }

  void grow() {
    Value x = pickValue(), y;
    switch (pick(9)) {
    case 0:
      y = SiluOp::create(b, x);
      break;
    case 1:
      y = MatmulOp::create(b, x, parameter({8 * (1 + pick(5)), widthOf(x)}), /*transpose_b=*/true);
      break;
    case 2:
      y = MatmulOp::create(b, x, parameter({widthOf(x), 13}), /*transpose_b=*/false);
      break;
    case 3:
      y = norm(x);
      break;
    case 4:
      y = SoftmaxOp::create(b, x);
      break;
    case 5:
      y = attend(x);
      break;
    case 6:
      y = widthOf(x) > 4 ? Value(SliceOp::create(b, x, 2, 2, widthOf(x) - 3))
                         : Value(NegOp::create(b, x));
      break;
    case 7:
      y = AddOp::create(b, x, parameter({widthOf(x)}));
      break;
    default:
      y = combine(x);
      break;
    }
    if (widthOf(y) <= 160)
      values.push_back(y);
  }

  void finish(func::FuncOp function) {
    SmallVector<Value> results = {values.back(), pickValue(), tanhOf(pickValue())};
    func::ReturnOp::create(b, results);
    SmallVector<Type> types =
        llvm::map_to_vector(results, [](Value value) { return value.getType(); });
    function.setFunctionType(b.getFunctionType(function.getArgumentTypes(), types));
    for (unsigned i = 0; i < results.size(); ++i)
      function.setResultAttr(i, kNameAttr, b.getStringAttr("r" + std::to_string(i)));
    function->setAttr(kEntryAttr, b.getUnitAttr());
  }
  Value tanhOf(Value x) { return TanhOp::create(b, x); }

  ImplicitLocOpBuilder b;
  std::mt19937 random;
  Dims leading;
  SmallVector<Value> values;
  int parameters = 0;
};

class RandomGraphs : public testing::TestWithParam<uint32_t> {};

TEST_P(RandomGraphs, AgreeWithInterpreter) {
  MLIRContext context;
  context.loadDialect<GraphDialect, func::FuncDialect>();
  RandomGraph graph(context, GetParam());
  ASSERT_TRUE(succeeded(verify(*graph.module)));
  std::mt19937 random(GetParam());
  std::normal_distribution<double> normal;
  for (const Backend &backend : getBackends()) {
    auto compiled = CompiledModule::create(*graph.module, backend, {"", 3});
    ASSERT_TRUE(compiled);
    for (auto [batch, seq] : {std::pair<int64_t, int64_t>{1, 1}, {2, 7}, {3, 9}}) {
      Array x(Float32Type::get(&context), {batch, seq, RandomGraph::inputWidth});
      for (double &value : x.floats)
        value = static_cast<float>(normal(random));
      std::vector<NamedArray> inputs = {{"x", std::make_shared<const Array>(std::move(x))}};
      interpreter::StateStore states(interpreter::drawFromSeed(3));
      auto expected =
          interpreter::evaluate(graph.module->lookupSymbol<func::FuncOp>("f"), inputs, states, {});
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
