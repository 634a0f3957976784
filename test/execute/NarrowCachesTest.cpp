// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoders whose caches hold 16-bit elements, prefill and decode, on each backend against the
// interpreter of the same graph.

#include "test/lib/Execution.h"
#include "test/lib/Golden.h"

#include "compiler/Interpreter/Parameters.h"

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

/// The norm of the difference of two series of results.
double getDistance(const std::vector<Array> &a, const std::vector<Array> &b) {
  double sum = 0;
  for (size_t i = 0; i < b.size(); ++i)
    for (size_t at = 0; at < b[i].floats.size(); ++at)
      sum += std::pow(a[i].floats[at] - b[i].floats[at], 2);
  return std::sqrt(sum);
}

class NarrowCache : public Golden {
protected:
  using Steps = std::vector<std::pair<std::string, std::vector<NamedArray>>>;

  /// Prompts of different lengths, then token by token.
  Steps makeSteps() {
    const Array ids = *loadInput("input_ids");
    Array lengths(ids.elementType, {ids.shape[0]});
    for (int64_t b = 0; b < ids.shape[0]; ++b)
      lengths.integers[b] = 5 - b % 2;
    auto tokens = [&](int64_t from, int64_t count) {
      return NamedArray{"input_ids", std::make_shared<const Array>(take(ids, 1, from, count))};
    };
    Steps steps;
    steps.push_back(
        {"prefill",
         {tokens(0, 5), {"prompt_lengths", std::make_shared<const Array>(std::move(lengths))}}});
    for (int64_t at = 5; at < 8; ++at)
      steps.push_back({"decode", {tokens(at, 1)}});
    return steps;
  }

  /// The logits of each step.
  std::vector<Array> interpret(ModuleOp graph) {
    auto checkpoint = Checkpoint::Open(directory);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    interpreter::StateStore states(interpreter::loadFromCheckpoint(*checkpoint));
    std::vector<Array> logits;
    for (auto &[entry, inputs] : makeSteps()) {
      auto results =
          interpreter::evaluate(graph.lookupSymbol<func::FuncOp>(entry), inputs, states, {});
      EXPECT_TRUE(succeeded(results));
      logits.push_back(*results->front().array);
    }
    return logits;
  }

  /// A key so near the middle of two numbers that a sum in f32 rounds it the other way is off by as
  /// much as one that is not rounded; but where none is rounded, thousands are. So agreement is to
  /// half of what rounding them changes. (That each element is rounded as it should be is
  /// ModulesTest's, which appends what it is given.)
  void expectAgreement() {
    const std::vector<Array> expected = interpret(*module);
    OwningOpRef<ModuleOp> narrow = std::move(module);
    cache = CacheElement::F32;
    Golden::SetUp();
    const double change = getDistance(interpret(*module), expected);
    EXPECT_GT(change, 0);
    for (const Backend &backend : getBackends()) {
      SCOPED_TRACE(backend.name);
      auto compiled = CompiledModule::create(*narrow, backend, {directory});
      ASSERT_TRUE(compiled);
      std::vector<Array> found;
      for (auto &[entry, inputs] : makeSteps()) {
        auto results = compiled->run(entry, inputs);
        ASSERT_TRUE(results);
        found.push_back(*results->front().array);
      }
      EXPECT_LT(getDistance(found, expected), change / 2);
    }
  }
};

class BF16Cache : public NarrowCache {
protected:
  BF16Cache() { cache = CacheElement::BF16; }
};
class F16Cache : public NarrowCache {
protected:
  F16Cache() { cache = CacheElement::F16; }
};

TEST_P(BF16Cache, AgreesWithInterpreter) { expectAgreement(); }
TEST_P(F16Cache, AgreesWithInterpreter) { expectAgreement(); }

const auto kModels = testing::Values("llama", "gpt2", "mistral-window");
INSTANTIATE_TEST_SUITE_P(All, BF16Cache, kModels, getTestName);
INSTANTIATE_TEST_SUITE_P(All, F16Cache, kModels, getTestName);

} // namespace
} // namespace ashlar::test
