// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A row's result does not depend on the other rows, to the bit: alone, in a batch of any size, and,
// where attention is causal, with any number of tokens behind it. (GoldensTest.cpp holds whole
// models to it, on the emulator too, where these extents would take minutes.)

#include "test/lib/Execution.h"

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

/// Each shape of kernel that cuts rows into blocks: products with f32 and bf16 weights (with an
/// epilogue, and odd), causal attention, softmax and norms.
constexpr const char *kModule = R"mlir(
  !x = tensor<?x?x40xf32, #graph.dims<[batch, seq, _]>>
  !h = tensor<?x?x2x20xf32, #graph.dims<[batch, seq, _, _]>>
  graph.dim @batch from 1 to 6
  graph.dim @seq from 1 to 300
  graph.state parameter model @up init normal stddev 0.3 : tensor<40x531xf32>
  graph.state parameter model @down init normal stddev 0.3 : tensor<40x531xbf16>
  graph.state parameter model @scale init ones : tensor<40xf32>
  func.func @f(%x: !x {graph.name = "x"}) -> (!x {graph.name = "y"}) attributes {graph.entry} {
    %up = graph.read @up : tensor<40x531xf32>
    %down = graph.read @down : tensor<40x531xbf16>
    %scale = graph.read @scale : tensor<40xf32>
    %n = graph.rms_norm %x, %scale epsilon 1.0e-5 : !x, tensor<40xf32>
    %h = graph.reshape %n : !x to !h
    %a, %l = graph.attention %h, %h, %h scale 0.3 causal : !h, !h, !h
    %b = graph.reshape %a : !h to !x
    %u = graph.matmul %b, %up : !x, tensor<40x531xf32>
    %g = graph.gelu %u exact : tensor<?x?x531xf32, #graph.dims<[batch, seq, _]>>
    %d = graph.matmul %g, %down transpose_b : tensor<?x?x531xf32, #graph.dims<[batch, seq, _]>>, tensor<40x531xbf16>
    %s = graph.softmax %d : !x
    %y = graph.add %s, %d : !x, !x
    return %y : !x
  }
)mlir";

TEST(RowIndependence, HoldsForEveryExtent) {
  DialectRegistry registry;
  registry.insert<graph::GraphDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect>();
  MLIRContext context(registry);
  auto module = parseSourceString<ModuleOp>(kModule, &context);
  ASSERT_TRUE(module);
  Array all(Builder(&context).getF32Type(), {6, 300, 40});
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (double &value : all.floats)
    value = normal(random);
  std::vector<NamedArray> inputs = {{"x", std::make_shared<const Array>(std::move(all))}};
  std::vector<Backend> backends = getCpuBackends();
  for (const Backend &backend : getRoundingBackends())
    if (!backend.isEmulated())
      backends.push_back(backend);
  for (const Backend &backend : backends) {
    auto compiled = CompiledModule::create(*module, backend, {"", 3});
    ASSERT_TRUE(compiled);
    auto whole = compiled->run("f", inputs);
    ASSERT_TRUE(whole);
    for (auto [batch, seq] : {std::pair<int64_t, int64_t>{1, 300},
                              {6, 1},
                              {3, 129},
                              {5, 13},
                              {1, 1},
                              {1, 6},
                              {1, 7},
                              {1, 12},
                              {1, 13},
                              {4, 256},
                              {2, 33},
                              {5, 250}}) {
      // Some rows from the middle, with the tokens from the start.
      int64_t first = (6 - batch) / 2;
      auto part = compiled->run("f", take(take(inputs, 0, first, batch), 1, 0, seq));
      ASSERT_TRUE(part);
      expectSameBits(*part, take(take(*whole, 0, first, batch), 1, 0, seq),
                     backend.name + ", batch " + std::to_string(batch) + ", seq " +
                         std::to_string(seq));
    }
  }
}

} // namespace
} // namespace ashlar::test
