// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Imports every model of test/goldens and holds the interpreter's results against PyTorch's. For
// decoders also the same tokens through the cache: prefill and decode give what forward gives.

#include "compiler/Import/HuggingFace.h"
#include "compiler/Interpreter/Npy.h"
#include "compiler/Interpreter/Parameters.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace ashlar::interpreter {
namespace {

/// Relative to the largest value: f64 arithmetic against f64 arithmetic, but angles and stored
/// answers are f32.
constexpr double kTolerance = 1e-5;

/// test/goldens, or where the environment says (for cases that are made and thrown away).
std::string goldens() {
  const char *elsewhere = std::getenv("ASHLAR_GOLDENS");
  return elsewhere ? elsewhere : ASHLAR_GOLDENS;
}

std::vector<std::string> listFiles(StringRef directory) {
  std::vector<std::string> names;
  std::error_code code;
  for (llvm::sys::fs::directory_iterator it(directory, code), end; it != end && !code;
       it.increment(code))
    names.push_back(llvm::sys::path::filename(it->path()).str());
  llvm::sort(names);
  return names;
}

/// A case's case.json: {"head": override or "", "cached": whether its cache must agree with
/// forward}.
std::optional<llvm::json::Object> readCase(const std::string &name) {
  auto text = llvm::MemoryBuffer::getFile(goldens() + "/" + name + "/case.json");
  if (!text)
    return std::nullopt;
  return *llvm::cantFail(llvm::json::parse((*text)->getBuffer())).getAsObject();
}

std::vector<std::string> listCases(bool cachedOnly = false) {
  std::vector<std::string> cases;
  for (const std::string &name : listFiles(goldens()))
    if (auto about = readCase(name);
        about && (!cachedOnly || about->getBoolean("cached").value_or(false)))
      cases.push_back(name);
  return cases;
}

std::string testName(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class Golden : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    directory = goldens() + "/" + GetParam();
    auto about = readCase(GetParam());
    ASSERT_TRUE(about);
    ImportOptions options;
    options.directory = directory;
    options.head = about->getString("head").value_or("").str();
    options.batch = {1, 3};
    options.seq = DimBounds{1, 12};
    options.context = 14;
    module = importHuggingFace(context, options);
    ASSERT_TRUE(module);
    auto checkpoint = Checkpoint::Open(directory);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    parameters = loadFromCheckpoint(*checkpoint);
  }

  Array load(const std::string &file) {
    auto array = readNpy(&context, directory + "/" + file);
    EXPECT_TRUE(bool(array)) << llvm::toString(array.takeError());
    return array ? std::move(*array) : Array(IntegerType::get(&context, 64), {0});
  }

  std::vector<NamedArray> loadInputs() {
    std::vector<NamedArray> inputs;
    for (const std::string &file : listFiles(directory + "/inputs"))
      inputs.push_back({llvm::sys::path::stem(file).str(),
                        std::make_shared<const Array>(load("inputs/" + file))});
    return inputs;
  }

  std::vector<NamedArray> run(StringRef entry, ArrayRef<NamedArray> inputs, StateStore &states) {
    auto function = module->lookupSymbol<func::FuncOp>(entry);
    EXPECT_TRUE(function) << entry.str();
    auto results = evaluate(function, inputs, states, {});
    EXPECT_TRUE(succeeded(results)) << entry.str();
    return succeeded(results) ? *results : std::vector<NamedArray>();
  }

  Array integers(std::vector<int64_t> shape, const std::vector<int64_t> &values) {
    Array array(IntegerType::get(&context, 64), shape);
    array.integers = values;
    return array;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::string directory;
  StateInitializer parameters;
};
class CachedGolden : public Golden {};

TEST_P(Golden, ForwardAgreesWithPyTorch) {
  StateStore states(parameters);
  std::vector<NamedArray> results = run("forward", loadInputs(), states);
  std::vector<std::string> expected = listFiles(directory + "/expected");
  EXPECT_EQ(results.size(), expected.size());
  for (const NamedArray &result : results) {
    SCOPED_TRACE(result.name);
    ASSERT_THAT(expected, testing::Contains(result.name + ".npy"));
    EXPECT_EQ(compare(*result.array, load("expected/" + result.name + ".npy"), kTolerance), "");
  }
}

/// Row b of `logits` [batch, vocabulary] is what forward gave at position[b].
void expectRows(const Array &logits, const Array &all, const std::vector<int64_t> &position) {
  int64_t seq = all.shape[1], width = all.shape[2];
  Array wanted = logits;
  for (size_t b = 0; b < position.size(); ++b)
    for (int64_t i = 0; i < width; ++i)
      wanted.floats[b * width + i] = all.floats[(b * seq + position[b]) * width + i];
  EXPECT_EQ(compare(logits, wanted, 1e-9), "");
}

/// Prompts of different lengths, a second prompt behind them, then token by token, each row where
/// it stands.
TEST_P(CachedGolden, CacheAgreesWithForward) {
  Array ids = load("inputs/input_ids.npy");
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

INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::ValuesIn(listCases()), testName);
INSTANTIATE_TEST_SUITE_P(Models, CachedGolden, testing::ValuesIn(listCases(/*cachedOnly=*/true)),
                         testName);

TEST(Goldens, CoverEveryModelType) {
  if (goldens() != ASHLAR_GOLDENS)
    GTEST_SKIP() << "random cases";
  std::vector<std::string> cases = listCases();
  for (StringRef type : getSupportedModelTypes())
    EXPECT_TRUE(llvm::any_of(cases, [&](StringRef name) { return name.starts_with(type); }))
        << type.str();
}

} // namespace
} // namespace ashlar::interpreter
