// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What each collective gives, and what runs on ranks refuse.

#include "compiler/Interpreter/Ranks.h"

#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace ashlar::interpreter {
namespace {

class Ranks : public testing::Test {
protected:
  Ranks()
      : handler(&context, [this](Diagnostic &diagnostic) {
          errors += diagnostic.str() + "\n";
          for (Diagnostic &note : diagnostic.getNotes())
            errors += note.str() + "\n";
        }) {
    context.loadDialect<dist::DistDialect, graph::GraphDialect, func::FuncDialect>();
  }

  /// Runs all functions of a module over [a = 4] on the input x = 1, 2, 3, ..., and returns the
  /// results' elements one after the other; nothing, and `errors`, where it fails.
  std::vector<double> run(const std::string &functions, std::vector<int64_t> shape) {
    module = parseSourceString<ModuleOp>(
        "dist.mesh @mesh [a = 4] bandwidth [1.0] latency [0.0] flops 1.0\n" + functions, &context);
    if (!module)
      return {};
    Array x(Float32Type::get(&context), shape);
    for (int64_t i = 0; i < x.size(); ++i)
      x.floats[i] = static_cast<double>(i + 1);
    auto states = makeRankStates(*module, nullptr);
    SmallVector<func::FuncOp> all(module->getOps<func::FuncOp>());
    auto results =
        evaluateOnRanks(all, {{"x", std::make_shared<const Array>(x)}}, states, EvaluateOptions());
    std::vector<double> elements;
    if (succeeded(results))
      for (const NamedArray &result : *results)
        elements.insert(elements.end(), result.array->floats.begin(), result.array->floats.end());
    return elements;
  }

  /// The body of a function from x, cut by `cut`, to y, cut by `cutResult`.
  std::string function(const std::string &cut, const std::string &local, const std::string &body,
                       const std::string &result, const std::string &cutResult) {
    return "func.func @f(%x: " + local + " {graph.name = \"x\", dist.sharding = #dist.sharding<" +
           "@mesh, " + cut + ">}) -> (" + result + " {dist.sharding = #dist.sharding<@mesh, " +
           cutResult + ">}) {\n" + body + "\nreturn %y : " + result + "\n}\n";
  }

  MLIRContext context;
  std::string errors;
  ScopedDiagnosticHandler handler;
  OwningOpRef<ModuleOp> module;
};

using Elements = std::vector<double>;

TEST_F(Ranks, AllReduce) {
  EXPECT_EQ(run(function("[{a}]", "tensor<1xf32>",
                         "%y = dist.all_reduce max %x over @mesh [a] : tensor<1xf32> to "
                         "tensor<1xf32>",
                         "tensor<1xf32>", "[{}]"),
                {4}),
            (Elements{4}))
      << errors;
}

TEST_F(Ranks, ReduceScatterOverAPartOfAnAxis) {
  // Ranks 0 and 1 hold 1 2, ranks 2 and 3 hold 3 4; pairs 0 2 and 1 3 add up.
  EXPECT_EQ(run(function("[{a:(1)2}]", "tensor<2xf32>",
                         "%y = dist.reduce_scatter sum %x over @mesh [a:(1)2] axis 0 : "
                         "tensor<2xf32> to tensor<1xf32>",
                         "tensor<1xf32>", "[{a:(1)2}]"),
                {4}),
            (Elements{4, 6}))
      << errors;
}

TEST_F(Ranks, AllToAll) {
  EXPECT_EQ(run(function("[{a}, {}]", "tensor<1x4xf32>",
                         "%y = dist.all_to_all %x over @mesh [a] split 1 join 0 : "
                         "tensor<1x4xf32> to tensor<4x1xf32>",
                         "tensor<4x1xf32>", "[{}, {a}]"),
                {4, 4}),
            (Elements{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}))
      << errors;
}

TEST_F(Ranks, Permute) {
  EXPECT_EQ(run(function("[{a}]", "tensor<1xf32>",
                         "%y = dist.permute %x over @mesh [a] pairs [0, 1, 1, 2, 2, 0] : "
                         "tensor<1xf32> to tensor<1xf32>",
                         "tensor<1xf32>", "[{a}]"),
                {4}),
            (Elements{3, 1, 2, 0}))
      << errors;
}

TEST_F(Ranks, Broadcast) {
  EXPECT_EQ(run(function("[{a}]", "tensor<1xf32>",
                         "%y = dist.broadcast %x over @mesh [a] root 2 : tensor<1xf32> to "
                         "tensor<1xf32>",
                         "tensor<1xf32>", "[{}]"),
                {4}),
            (Elements{3}))
      << errors;
}

TEST_F(Ranks, WaitGivesWhatWasStarted) {
  EXPECT_EQ(run(function("[{a}]", "tensor<1xf32>",
                         "%p = dist.all_gather %x over @mesh [a] axis 0 : tensor<1xf32> to "
                         "!dist.pending<tensor<4xf32>>\n"
                         "%n = graph.neg %x : tensor<1xf32>\n"
                         "%y = dist.wait %p : !dist.pending<tensor<4xf32>> to tensor<4xf32>",
                         "tensor<4xf32>", "[{}]"),
                {4}),
            (Elements{1, 2, 3, 4}))
      << errors;
}

TEST_F(Ranks, RefusesRanksThatDisagree) {
  EXPECT_EQ(run(function("[{a}]", "tensor<1xf32>", "%y = graph.neg %x : tensor<1xf32>",
                         "tensor<1xf32>", "[{}]"),
                {4}),
            Elements{});
  EXPECT_NE(errors.find("ranks 0 and 1 hold different values of element 0 of result 'result0'"),
            std::string::npos)
      << errors;
}

TEST_F(Ranks, StagesPassTensorsOn) {
  std::string text =
      "func.func @first(%x: tensor<2xf32> {graph.name = \"x\"}) "
      "attributes {dist.ranks = array<i64: 0, 1>} {\n"
      "%0 = graph.neg %x : tensor<2xf32>\n"
      "dist.send %0 to 1 over @mesh [a:(1)2] : tensor<2xf32>\nreturn\n}\n"
      "func.func @second() -> tensor<2xf32> attributes {dist.ranks = array<i64: 2, 3>} {\n"
      "%0 = dist.recv from 0 over @mesh [a:(1)2] : tensor<2xf32>\n"
      "%1 = graph.abs %0 : tensor<2xf32>\nreturn %1 : tensor<2xf32>\n}\n";
  EXPECT_EQ(run(text, {2}), (Elements{1, 2})) << errors;
}

TEST_F(Ranks, RefusesWhatNobodySends) {
  std::string text =
      "func.func @first(%x: tensor<2xf32> {graph.name = \"x\"}) "
      "attributes {dist.ranks = array<i64: 0, 1>} {\nreturn\n}\n"
      "func.func @second() -> tensor<2xf32> attributes {dist.ranks = array<i64: 2, 3>} {\n"
      "%0 = dist.recv from 0 over @mesh [a:(1)2] : tensor<2xf32>\n"
      "return %0 : tensor<2xf32>\n}\n";
  EXPECT_EQ(run(text, {2}), Elements{});
  EXPECT_NE(errors.find("rank 2 waits for rank 0 to issue this 'dist.recv'"), std::string::npos)
      << errors;
  EXPECT_NE(errors.find("rank 0 ends here without it"), std::string::npos) << errors;
}

TEST_F(Ranks, RefusesPartialResults) {
  run(function("[{a}]", "tensor<1xf32>", "%y = graph.neg %x : tensor<1xf32>", "tensor<1xf32>",
               "[{}] partial sum [a]"),
      {4});
  EXPECT_NE(errors.find("result 'result0' is partial over [a]"), std::string::npos) << errors;
}

// A shard of 1 of 5 rows in a place for 2: what pads it must not be read.
TEST_F(Ranks, StatesKeepTheirPart) {
  module = parseSourceString<ModuleOp>(
      "dist.mesh @mesh [a = 4] bandwidth [1.0] latency [0.0] flops 1.0\n"
      "graph.dim @\"5/a\" from 1 to 2 {dist.local = #dist.local_dim<@mesh, 5 : i64, <[a]>>}\n"
      "graph.state parameter model @w {dist.global_type = tensor<5xf32>, "
      "dist.sharding = #dist.sharding<@mesh, [{a}]>} : tensor<2xf32>\n"
      "!w = tensor<?xf32, #graph.dims<[\"5/a\"]>>\n"
      "func.func @f() -> (!w {dist.sharding = #dist.sharding<@mesh, [{a}]>}) {\n"
      "%0 = graph.read @w : !w\nreturn %0 : !w\n}\n",
      &context);
  ASSERT_TRUE(module) << errors;
  auto states = makeRankStates(*module, [](graph::StateOp state) -> FailureOr<ArrayPtr> {
    Array whole(Float32Type::get(state.getContext()),
                cast<RankedTensorType>(state.getType()).getShape());
    for (int64_t i = 0; i < whole.size(); ++i)
      whole.floats[i] = static_cast<double>(i);
    return std::make_shared<const Array>(std::move(whole));
  });
  auto results = evaluateOnRanks(module->lookupSymbol<func::FuncOp>("f"), {}, states, {});
  ASSERT_TRUE(succeeded(results)) << errors;
  EXPECT_EQ(results->front().array->floats, (Elements{0, 1, 2, 3, 4}));
}

} // namespace
} // namespace ashlar::interpreter
