// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every model of test/goldens compiled for every instruction set of this machine and for the CUDA
// emulator, against PyTorch's answers; decoders also through their cache.

#include "test/lib/Execution.h"

#include "test/lib/Golden.h"

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

class CompiledGolden : public Golden {};
class CompiledCache : public Golden {};

TEST_P(CompiledGolden, AgreesWithPyTorch) {
  for (const Backend &backend : getBackends()) {
    SCOPED_TRACE(backend.name);
    auto compiled = CompiledModule::create(*module, backend, {directory});
    ASSERT_TRUE(compiled);
    std::vector<NamedArray> inputs = loadInputs();
    auto results = compiled->run("forward", inputs);
    ASSERT_TRUE(results);
    expectAnswers(*results, widenTolerance(kGoldenTolerance, backend, *module));
    // And each row alone is the same, to the bit. (On the emulator the first: a step takes a
    // while.)
    int64_t rows = backend.isEmulated() ? 1 : inputs.front().array->shape[0];
    for (int64_t row = 0; row < rows; ++row) {
      auto alone = compiled->run("forward", take(inputs, 0, row, 1));
      ASSERT_TRUE(alone);
      expectSameBits(*alone, take(*results, 0, row, 1), "row " + std::to_string(row));
    }
  }
}

TEST_P(CompiledCache, AgreesWithForward) {
  std::shared_ptr<const Array> ids = loadInput("input_ids");
  int64_t length = ids->shape[1], prompt = std::max<int64_t>(1, length / 2);
  for (const Backend &backend : getBackends()) {
    SCOPED_TRACE(backend.name);
    auto compiled = CompiledModule::create(*module, backend, {directory});
    ASSERT_TRUE(compiled);
    auto whole = compiled->run("forward", {{"input_ids", ids}});
    ASSERT_TRUE(whole);
    auto takeIds = [&](int64_t from, int64_t to) {
      return take({{"input_ids", ids}}, 1, from, to - from);
    };
    auto step = compiled->run("prefill", takeIds(0, prompt));
    for (int64_t at = prompt; step; ++at) {
      Array expected = take(*whole->front().array, 1, at - 1, 1);
      expected.shape.erase(expected.shape.begin() + 1);
      EXPECT_EQ(interpreter::compare(*step->front().array, expected,
                                     widenTolerance(kGoldenTolerance, backend, *module)),
                "")
          << at;
      if (at == length)
        break;
      step = compiled->run("decode", takeIds(at, at + 1));
    }
    EXPECT_TRUE(step);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CompiledGolden, testing::ValuesIn(listGoldens()), getTestName);
INSTANTIATE_TEST_SUITE_P(All, CompiledCache, testing::ValuesIn(listGoldens(/*cachedOnly=*/true)),
                         getTestName);

} // namespace
} // namespace ashlar::test
