// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle must start from the very weights that the runtime makes of a seed.

#include "compiler/Interpreter/Parameters.h"

#include "mlir/Parser/Parser.h"
#include "runtime/memory/shard_source.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace ashlar::interpreter {
namespace {

/// What the runtime draws for the state.
std::vector<float> drawByRuntime(graph::StateOp state, uint64_t seed, DType dtype, fb::Init init,
                                 float scale) {
  fb::WeightPartT part;
  part.tensor = state.getTensorName().str();
  part.dtype = static_cast<fb::DType>(dtype);
  part.shape = cast<RankedTensorType>(state.getType()).getShape().vec();
  part.init = init;
  part.scale = scale;
  if (state.getWhole()) {
    part.whole = state.getWhole()->vec();
    part.begin = state.getBegin()->vec();
    part.range = part.shape;
  }
  auto whole = RandomSource(seed);
  auto reader = ShardSource(*whole, /*rank=*/0)->Open(part);
  EXPECT_TRUE(reader.ok());
  std::vector<float> values(cast<RankedTensorType>(state.getType()).getNumElements());
  (*reader)->Read(0, static_cast<int64_t>(values.size()), DType::kF32, values.data());
  return values;
}

TEST(Parameters, DrawsTheRuntimesBits) {
  MLIRContext context;
  context.loadDialect<graph::GraphDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(R"(
    graph.state parameter model @a init normal stddev 0.02 : tensor<33x17xf32>
    graph.state parameter model @b tensor "other.name" init normal stddev 0.5 : tensor<300xbf16>
    graph.state parameter model @c init ones : tensor<5xf32>
    graph.state parameter model @e tensor "a" at [2, 5] of [33, 17] init normal
      stddev 0.02 : tensor<7x11xf32>
    graph.state parameter model @d init zeros : tensor<5xf32>)",
                                                             &context);
  ASSERT_TRUE(module);
  struct Draw {
    const char *name;
    DType dtype;
    fb::Init init;
    float scale;
  };
  for (const Draw &draw :
       {Draw{"a", DType::kF32, fb::Init::Normal, 0.02f},
        Draw{"b", DType::kBF16, fb::Init::Normal, 0.5f}, Draw{"c", DType::kF32, fb::Init::Ones, 0},
        Draw{"e", DType::kF32, fb::Init::Normal, 0.02f},
        Draw{"d", DType::kF32, fb::Init::Zeros, 0}}) {
    SCOPED_TRACE(draw.name);
    auto state = module->lookupSymbol<graph::StateOp>(draw.name);
    std::vector<float> expected = drawByRuntime(state, 42, draw.dtype, draw.init, draw.scale);
    auto found = drawFromSeed(42)(state);
    ASSERT_TRUE(succeeded(found));
    EXPECT_EQ((*found)->floats, std::vector<double>(expected.begin(), expected.end()));
    auto other = drawFromSeed(43)(state);
    EXPECT_EQ((*other)->floats == (*found)->floats, draw.init != fb::Init::Normal);
  }
}

} // namespace
} // namespace ashlar::interpreter
