// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sharding rule of every op: letters per dimension, in the order of ShardingRule.h.

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace ashlar::graph;

namespace {

/// The rule of the last op of a function's body over the arguments.
std::string getRule(const std::string &arguments, const std::string &body) {
  MLIRContext context;
  context.loadDialect<GraphDialect, func::FuncDialect>();
  std::string text = "graph.dim @batch from 1 to 8\ngraph.dim @seq from 1 to 64\nfunc.func @f(" +
                     arguments + ") {\n" + body + "\nreturn\n}";
  auto module = parseSourceString<ModuleOp>(text, &context);
  if (!module) {
    ADD_FAILURE() << text;
    return "";
  }
  Operation *last = module->lookupSymbol<func::FuncOp>("f").getBody().front().getTerminator();
  auto op = dyn_cast<ShardingRuleOpInterface>(last->getPrevNode());
  return op ? toString(op.getShardingRule()) : "none";
}

TEST(ShardingRule, OfElementwiseOps) {
  EXPECT_EQ(getRule("%x: tensor<4x8xf32>", "%y = graph.gelu %x exact : tensor<4x8xf32>"),
            "([i, j]) -> ([i, j]) i=4 j=8");
  // Aligned at the last dimension; what stretches is no factor.
  EXPECT_EQ(getRule("%x: tensor<2x4x8xf32>, %y: tensor<4x1xf32>",
                    "%z = graph.add %x, %y : tensor<2x4x8xf32>, tensor<4x1xf32>"),
            "([i, j, k], [j, _]) -> ([i, j, k]) i=2 j=4 k=8");
}

TEST(ShardingRule, OfShapeOps) {
  EXPECT_EQ(getRule("%x: tensor<4x8xf32>", "%y = graph.transpose %x [1, 0] : tensor<4x8xf32>"),
            "([i, j]) -> ([j, i]) i=4 j=8");
  EXPECT_EQ(
      getRule("%x: tensor<4x8xf32>", "%y = graph.slice %x axis 1 from 2 size 4 : tensor<4x8xf32>"),
      "([i, j]) -> ([i, _]) i=4 j=8 whole");
  EXPECT_EQ(getRule("%x: tensor<4x8xf32>",
                    "%y = graph.concat %x, %x axis 0 : tensor<4x8xf32>, tensor<4x8xf32>"),
            "([_, j], [_, j]) -> ([i, j]) i=8 whole j=8");
  EXPECT_EQ(getRule("%x: tensor<4x8x2xf32>, %i: tensor<4xi64>",
                    "%y = graph.gather %x, %i : tensor<4x8x2xf32>, tensor<4xi64>"),
            "([i, j, k], [i]) -> ([i, k]) i=4 j=8 whole k=2");
  EXPECT_EQ(getRule("", "%y = graph.iota axis 0 : tensor<4x8xi64>"),
            "() -> ([i, j]) i=4 partition j=8");
  EXPECT_EQ(getRule("%x: tensor<4x8xf32>", "%y = graph.cumsum %x axis 1 : tensor<4x8xf32>"),
            "([i, j]) -> ([i, j]) i=4 j=8 whole");
  EXPECT_EQ(
      getRule("%x: tensor<8xf32>", "%y = graph.broadcast %x : tensor<8xf32> to tensor<4x8xf32>"),
      "([j]) -> ([i, j]) i=4 j=8");
  EXPECT_EQ(getRule("", "%y = graph.constant dense<1.0> : tensor<4xf32>"), "() -> ([_])");
}

TEST(ShardingRule, OfReshapesHasCompoundFactors) {
  EXPECT_EQ(getRule("%x: tensor<?x12xf32, #graph.dims<[batch, _]>>",
                    "%y = graph.reshape %x : tensor<?x12xf32, #graph.dims<[batch, _]>> to "
                    "tensor<?x3x4xf32, #graph.dims<[batch, _, _]>>"),
            "([i, j*k]) -> ([i, j, k]) i=batch j=3 k=4");
  EXPECT_EQ(getRule("%x: tensor<3x4x5xf32>",
                    "%y = graph.reshape %x : tensor<3x4x5xf32> to tensor<12x1x5xf32>"),
            "([i, j, k]) -> ([i*j, _, k]) i=3 j=4 k=5");
  // 6 and 4 share no major part: nothing behind them is cut.
  EXPECT_EQ(
      getRule("%x: tensor<6x2xf32>", "%y = graph.reshape %x : tensor<6x2xf32> to tensor<4x3xf32>"),
      "([_, _]) -> ([_, _])");
  EXPECT_EQ(getRule("%x: tensor<12x2xf32>",
                    "%y = graph.reshape %x : tensor<12x2xf32> to tensor<4x6xf32>"),
            "([i*j, k]) -> ([i, j*k]) i=4 j=3 k=2");
}

TEST(ShardingRule, OfReductions) {
  EXPECT_EQ(getRule("%x: tensor<4x8xf32>", "%y = graph.reduce sum %x axis 1 : tensor<4x8xf32>"),
            "([i, j]) -> ([i]) i=4 j=8 sum");
  EXPECT_EQ(
      getRule("%x: tensor<4x8xf32>", "%y = graph.reduce max %x axis 0 keep_dims : tensor<4x8xf32>"),
      "([i, j]) -> ([_, j]) i=4 max j=8");
  EXPECT_EQ(getRule("%x: tensor<4x8xf32>", "%y = graph.reduce mean %x axis 1 : tensor<4x8xf32>"),
            "([i, j]) -> ([i]) i=4 j=8 partition");
}

TEST(ShardingRule, OfProducts) {
  EXPECT_EQ(getRule("%a: tensor<2x4x8xf32>, %b: tensor<6x8xf32>",
                    "%c = graph.matmul %a, %b transpose_b : tensor<2x4x8xf32>, tensor<6x8xf32>"),
            "([i, j, l], [k, l]) -> ([i, j, k]) i=2 j=4 k=6 l=8 sum");
  EXPECT_EQ(getRule("%a: tensor<2x4x8xf32>, %b: tensor<2x8x6xf32>",
                    "%c = graph.matmul %a, %b : tensor<2x4x8xf32>, tensor<2x8x6xf32>"),
            "([i, j, l], [i, l, k]) -> ([i, j, k]) i=2 j=4 k=6 l=8 sum");
  EXPECT_EQ(getRule("%t: tensor<61x8xf32>, %i: tensor<2x4xi64>",
                    "%y = graph.embedding %t, %i : tensor<61x8xf32>, tensor<2x4xi64>"),
            "([l, k], [i, j]) -> ([i, j, k]) i=2 j=4 k=8 l=61 sum partition");
}

TEST(ShardingRule, OfLayers) {
  EXPECT_EQ(getRule("%x: tensor<4x8xf32>", "%y = graph.softmax %x : tensor<4x8xf32>"),
            "([i, j]) -> ([i, j]) i=4 j=8 partition");
  EXPECT_EQ(getRule("%x: tensor<4x8xf32>, %s: tensor<8xf32>",
                    "%y = graph.layer_norm %x, %s, %s epsilon 1.0e-5 : tensor<4x8xf32>, "
                    "tensor<8xf32>, tensor<8xf32>"),
            "([i, j], [j], [j]) -> ([i, j]) i=4 j=8 partition");
  EXPECT_EQ(getRule("%x: tensor<4x8xf32>, %s: tensor<8xf32>",
                    "%y = graph.rms_norm %x, %s epsilon 1.0e-5 : tensor<4x8xf32>, tensor<8xf32>"),
            "([i, j], [j]) -> ([i, j]) i=4 j=8 partition");
  EXPECT_EQ(getRule("%p: tensor<2x4xi64>, %f: tensor<3xf32>",
                    "%c, %s = graph.rope_table %p, %f scale 1.0 : tensor<2x4xi64>, tensor<3xf32>"),
            "([i, j], [k]) -> ([i, j, k], [i, j, k]) i=2 j=4 k=3 even");
  EXPECT_EQ(getRule("%x: tensor<2x4x6x8xf32>, %t: tensor<2x4x3xf32>",
                    "%y = graph.rope %x, %t, %t : tensor<2x4x6x8xf32>, tensor<2x4x3xf32>, "
                    "tensor<2x4x3xf32>"),
            "([i, j, k, l], [i, j, _], [i, j, _]) -> ([i, j, k, l]) i=2 j=4 k=6 l=8 whole");
}

// Query heads are the key-value heads times those that share one.
TEST(ShardingRule, OfAttention) {
  std::string arguments = "%q: tensor<2x5x4x8xf32>, %k: tensor<2x7x2x8xf32>, %m: tensor<2x7xi64>";
  std::string types = "tensor<2x5x4x8xf32>, tensor<2x7x2x8xf32>, tensor<2x7x2x8xf32>";
  EXPECT_EQ(getRule(arguments, "%o, %l = graph.attention %q, %k, %k mask %m scale 1.0 causal : " +
                                   types + " mask tensor<2x7xi64>"),
            "([i, j, k*l, _], [i, m, k, _], [i, m, k, n], [i, m]) -> ([i, j, k*l, n], [i, j, k*l]) "
            "i=2 j=5 partition k=2 even l=2 even m=7 partition n=8 even");
  EXPECT_EQ(getRule("%c: !graph.cache<4x9x2x8xf32>, %v: tensor<3x5x2x8xf32>, %l: tensor<3xi64>",
                    "%0 = graph.cache_append %c, %v, %l : !graph.cache<4x9x2x8xf32>, "
                    "tensor<3x5x2x8xf32>, tensor<3xi64>"),
            "([i, _, k, l], [i, j, k, l], [i]) -> ([i, _, k, l]) i=3 j=5 whole k=2 even l=8 whole");
}

} // namespace
