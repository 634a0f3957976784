// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interpreter on every model of test/goldens: its results are held against PyTorch's. For
// decoders also the same tokens through the cache: prefill and decode give what forward gives.

#include "test/lib/Golden.h"

#include "compiler/Import/HuggingFace.h"
#include "compiler/Interpreter/Parameters.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;
using interpreter::StateStore;

class InterpretedGolden : public Golden {
protected:
  void SetUp() override {
    Golden::SetUp();
    auto checkpoint = Checkpoint::Open(directory);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    parameters = interpreter::loadFromCheckpoint(*checkpoint);
  }

  std::vector<NamedArray> run(StringRef entry, ArrayRef<NamedArray> inputs, StateStore &states) {
    auto function = module->lookupSymbol<func::FuncOp>(entry);
    EXPECT_TRUE(function) << entry.str();
    auto results = interpreter::evaluate(function, inputs, states, {});
    EXPECT_TRUE(succeeded(results)) << entry.str();
    return succeeded(results) ? *results : std::vector<NamedArray>();
  }

  Array integers(std::vector<int64_t> shape, const std::vector<int64_t> &values) {
    Array array(IntegerType::get(&context, 64), shape);
    array.integers = values;
    return array;
  }

  interpreter::StateInitializer parameters;
};
class InterpretedCache : public InterpretedGolden {};

TEST_P(InterpretedGolden, AgreesWithPyTorch) {
  StateStore states(parameters);
  expectAnswers(run("forward", loadInputs(), states));
}

/// Row b of `logits` [batch, vocabulary] is what forward gave at position[b].
void expectRows(const Array &logits, const Array &all, const std::vector<int64_t> &position) {
  int64_t seq = all.shape[1], width = all.shape[2];
  Array wanted = logits;
  for (size_t b = 0; b < position.size(); ++b)
    for (int64_t i = 0; i < width; ++i)
      wanted.floats[b * width + i] = all.floats[(b * seq + position[b]) * width + i];
  EXPECT_EQ(interpreter::compare(logits, wanted, 1e-9), "");
}

/// Prompts of different lengths, a second prompt behind them, then token by token, each row where
/// it stands.
TEST_P(InterpretedCache, AgreesWithForward) {
  Array ids = *loadInput("input_ids");
  int64_t batch = ids.shape[0], seq = ids.shape[1];
  StateStore states(parameters);
  auto shared = [](Array array) { return std::make_shared<const Array>(std::move(array)); };
  Array all = *run("forward", {{"input_ids", shared(ids)}}, states).at(0).array;

  std::vector<int64_t> filled(batch, 0), last(batch);
  for (int64_t prompt : {4, 2}) {
    std::vector<int64_t> tokens, lengths;
    for (int64_t b = 0; b < batch; ++b) {
      lengths.push_back(b == 0 ? prompt : prompt - 1);
      for (int64_t i = 0; i < prompt; ++i) // behind its length a row is padded with whatever
        tokens.push_back(i < lengths[b] ? ids.integers[b * seq + filled[b] + i] : 0);
    }
    auto results = run("prefill",
                       {{"input_ids", shared(integers({batch, prompt}, tokens))},
                        {"prompt_lengths", shared(integers({batch}, lengths))}},
                       states);
    for (int64_t b = 0; b < batch; ++b)
      last[b] = (filled[b] += lengths[b]) - 1;
    expectRows(*results.at(0).array, all, last);
  }
  for (int step = 0; step < 3; ++step) {
    std::vector<int64_t> tokens;
    for (int64_t b = 0; b < batch; ++b)
      tokens.push_back(ids.integers[b * seq + (last[b] = filled[b]++)]);
    auto results = run("decode", {{"input_ids", shared(integers({batch, 1}, tokens))}}, states);
    expectRows(*results.at(0).array, all, last);
  }
}

INSTANTIATE_TEST_SUITE_P(All, InterpretedGolden, testing::ValuesIn(listGoldens()), getTestName);
INSTANTIATE_TEST_SUITE_P(All, InterpretedCache, testing::ValuesIn(listGoldens(/*cachedOnly=*/true)),
                         getTestName);

TEST(Goldens, CoverEveryModelType) {
  if (!isOwnGoldens())
    GTEST_SKIP() << "random cases";
  std::vector<std::string> cases = listGoldens();
  for (StringRef type : getSupportedModelTypes())
    EXPECT_TRUE(llvm::any_of(cases, [&](StringRef name) { return name.starts_with(type); }))
        << type.str();
}

} // namespace
} // namespace ashlar::test
