// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every model of test/goldens compiled for every instruction set of this machine, against PyTorch's
// answers; decoders also through their cache.

#include "test/lib/Execution.h"

#include "compiler/Import/HuggingFace.h"
#include "compiler/Interpreter/Npy.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

/// f32 against f64, relative to the largest logit.
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

std::vector<std::string> listCases() {
  std::vector<std::string> cases;
  for (const std::string &name : listFiles(goldens()))
    if (llvm::sys::fs::exists(goldens() + "/" + name + "/case.json"))
      cases.push_back(name);
  return cases;
}

class CompiledGolden : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    directory = goldens() + "/" + GetParam();
    auto text = llvm::MemoryBuffer::getFile(directory + "/case.json");
    ASSERT_TRUE(bool(text));
    llvm::json::Value about = llvm::cantFail(llvm::json::parse((*text)->getBuffer()));
    ImportOptions options;
    options.directory = directory;
    options.head = about.getAsObject()->getString("head").value_or("").str();
    options.batch = {1, 3};
    options.seq = DimBounds{1, 12};
    options.context = 14;
    isCached = about.getAsObject()->getBoolean("cached").value_or(false);
    module = importHuggingFace(context, options);
    ASSERT_TRUE(module);
  }

  NamedArray load(StringRef folder, const std::string &file) {
    auto array = interpreter::readNpy(&context, directory + "/" + folder.str() + "/" + file);
    EXPECT_TRUE(bool(array)) << llvm::toString(array.takeError());
    return {llvm::sys::path::stem(file).str(), std::make_shared<const Array>(std::move(*array))};
  }

  std::vector<NamedArray> loadInputs() {
    std::vector<NamedArray> inputs;
    for (const std::string &file : listFiles(directory + "/inputs"))
      inputs.push_back(load("inputs", file));
    return inputs;
  }

  void expectAnswers(ArrayRef<NamedArray> results) {
    EXPECT_EQ(results.size(), listFiles(directory + "/expected").size());
    for (const NamedArray &result : results)
      EXPECT_EQ(interpreter::compare(*result.array, *load("expected", result.name + ".npy").array,
                                     kTolerance),
                "")
          << result.name;
  }

  /// Row `row` of [batch, n, ...] at position `at`, as a result [batch, ...].
  static Array takePosition(const Array &logits, int64_t at) {
    int64_t width = logits.shape[2];
    Array taken(logits.elementType, {logits.shape[0], width});
    for (int64_t b = 0; b < logits.shape[0]; ++b)
      for (int64_t i = 0; i < width; ++i)
        taken.floats[b * width + i] = logits.floats[(b * logits.shape[1] + at) * width + i];
    return taken;
  }

  /// Columns [from, to) of the ids.
  NamedArray takeIds(const Array &ids, int64_t from, int64_t to) {
    Array taken(ids.elementType, {ids.shape[0], to - from});
    for (int64_t b = 0; b < ids.shape[0]; ++b)
      for (int64_t i = from; i < to; ++i)
        taken.integers[b * (to - from) + i - from] = ids.integers[b * ids.shape[1] + i];
    return {"input_ids", std::make_shared<const Array>(std::move(taken))};
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::string directory;
  bool isCached = false;
};

TEST_P(CompiledGolden, AgreesWithPyTorch) {
  for (const cpu::CpuModel *model : getRunnableModels()) {
    SCOPED_TRACE(model->name.str());
    auto compiled = CompiledModule::create(*module, *model, {directory});
    ASSERT_TRUE(compiled);
    auto results = compiled->run("forward", loadInputs());
    ASSERT_TRUE(results);
    expectAnswers(*results);
  }
}

TEST_P(CompiledGolden, CacheAgreesWithForward) {
  if (!isCached)
    GTEST_SKIP() << "an encoder, or a case whose cache answers otherwise";
  std::vector<NamedArray> inputs = loadInputs();
  auto ids =
      llvm::find_if(inputs, [](const NamedArray &input) { return input.name == "input_ids"; });
  ASSERT_NE(ids, inputs.end());
  int64_t length = ids->array->shape[1], prompt = std::max<int64_t>(1, length / 2);
  for (const cpu::CpuModel *model : getRunnableModels()) {
    SCOPED_TRACE(model->name.str());
    auto compiled = CompiledModule::create(*module, *model, {directory});
    ASSERT_TRUE(compiled);
    auto whole = compiled->run("forward", {*ids});
    ASSERT_TRUE(whole);
    Array logits = *whole->front().array;
    auto step = compiled->run("prefill", {takeIds(*ids->array, 0, prompt)});
    for (int64_t at = prompt; step; ++at) {
      EXPECT_EQ(
          interpreter::compare(*step->front().array, takePosition(logits, at - 1), kTolerance), "")
          << at;
      if (at == length)
        break;
      step = compiled->run("decode", {takeIds(*ids->array, at, at + 1)});
    }
    EXPECT_TRUE(step);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CompiledGolden, testing::ValuesIn(listCases()), [](const auto &info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

} // namespace
} // namespace ashlar::test
