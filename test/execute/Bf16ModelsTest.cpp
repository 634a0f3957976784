// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whole models with bf16 weights, in the code that rounds the left operands of their products to
// bf16, against the interpreter of the same graph with those roundings written out.

#include "test/lib/Execution.h"
#include "test/lib/Golden.h"
#include "test/lib/TensorCoreAttention.h"

#include "compiler/Interpreter/Parameters.h"
#include "dialects/Graph/Graph.h"
#include "gmock/gmock.h"

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::NamedArray;

/// Without the roundings the results differ by 3e-3 to 1e-2 of the largest, with them by 2e-7; what
/// is so near the middle of two bf16 numbers that a sum in f32 rounds it the other way is off by
/// 1e-3, and does not occur here.
constexpr double kTolerance = 2e-6;

class Bf16Model : public Golden {
protected:
  Bf16Model() { weights = WeightType::BF16; }

  /// The module with the left operand of every product of bf16 weights rounded.
  /// With `ofAttention` the queries, keys and values, too, as on the device: in memory, before they
  /// are rotated, and as attention's operands.
  OwningOpRef<ModuleOp> writeOutRounding(bool ofAttention) {
    OwningOpRef<ModuleOp> rounded = module->clone();
    int64_t count = 0;
    rounded->walk([&](graph::MatmulOp product) {
      auto weight = cast<RankedTensorType>(product.getB().getType());
      if (!weight.getElementType().isBF16())
        return;
      roundOperand(product.getAMutable());
      ++count;
    });
    EXPECT_GT(count, 4);
    if (!ofAttention)
      return rounded;
    rounded->walk([&](graph::RopeOp rope) { roundOperand(rope->getOpOperand(0)); });
    rounded->walk([&](graph::AttentionOp attention) {
      for (OpOperand *operand : {&attention.getQueriesMutable(), &attention.getKeysMutable(),
                                 &attention.getValuesMutable()})
        roundOperand(*operand);
    });
    return rounded;
  }

  /// Queries that come from a norm stay f32, as in qwen3, and with them attention.
  static bool roundsAttention() { return GetParam() != "qwen3"; }
  /// Attention multiplies on the tensor cores where a step has more than 16 rows a key head: twelve
  /// positions, of two heads in these two.
  static bool usesTensorCores() { return GetParam() == "llama" || GetParam() == "mistral-window"; }

  static void roundOperand(OpOperand &operand) {
    OpBuilder b(operand.getOwner());
    Location loc = operand.getOwner()->getLoc();
    auto type = cast<RankedTensorType>(operand.get().getType());
    auto narrow = RankedTensorType::get(type.getShape(), b.getBF16Type(), type.getEncoding());
    Value cast = graph::CastOp::create(b, loc, narrow, operand.get());
    operand.assign(graph::CastOp::create(b, loc, type, cast));
  }
};

TEST_P(Bf16Model, AgreesWithInterpreterThatRounds) {
  std::vector<Backend> backends = getRoundingBackends();
  // And with plain products by the library.
  std::vector<Backend> emulators = getEmulators({/*usesTf32=*/false, cuda::LibraryUse::Always});
  if (!emulators.empty()) {
    emulators.front().name += " with cuBLASLt";
    backends.push_back(emulators.front());
  }
  if (backends.empty())
    GTEST_SKIP() << "this machine has no AVX-512 to emulate bf16 instructions with";
  auto checkpoint = Checkpoint::Open(directory);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  interpreter::StateStore states(interpreter::loadFromCheckpoint(*checkpoint));
  std::vector<NamedArray> inputs = loadInputs();
  const interpreter::Evaluations onTensorCores =
      getTensorCoreEvaluations(Builder(&context).getBF16Type());
  for (const Backend &backend : backends) {
    OwningOpRef<ModuleOp> rounded = writeOutRounding(backend.isEmulated() && roundsAttention());
    interpreter::EvaluateOptions options;
    if (backend.isEmulated() && usesTensorCores())
      options.evaluations = &onTensorCores;
    auto expected = interpreter::evaluate(rounded->lookupSymbol<func::FuncOp>("forward"), inputs,
                                          states, options);
    ASSERT_TRUE(succeeded(expected));
    auto compiled = CompiledModule::create(*module, backend, {directory});
    ASSERT_TRUE(compiled);
    // Rows of bert-base's matrices begin at no multiples of 16 bytes.
    if (llvm::StringRef(backend.name).ends_with("cuBLASLt") && GetParam() != "bert-base")
      EXPECT_THAT(compiled->getSession().library(),
                  testing::StartsWith("emulated cuBLASLt 13.0.0, "));
    auto found = compiled->run("forward", inputs);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), expected->size());
    for (size_t i = 0; i < expected->size(); ++i)
      EXPECT_EQ(interpreter::compare(*(*found)[i].array, *(*expected)[i].array, kTolerance), "")
          << backend.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Bf16Model,
                         testing::Values("bert-base", "gpt2", "llama", "qwen3", "mistral-window"),
                         getTestName);

} // namespace
} // namespace ashlar::test
