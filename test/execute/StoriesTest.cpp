// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A really trained model, compiled: its published continuation token for token, and the logits of
// every position. Skipped where the shared data is absent. Not on the emulator, where a token of
// its 15 million parameters would take a minute: the models of test/goldens are run there.

#include "test/lib/Execution.h"

#include "compiler/Import/HuggingFace.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "gtest/gtest.h"

#include <cstring>

using namespace mlir;

namespace ashlar::test {
namespace {

using interpreter::Array;
using interpreter::NamedArray;

class Stories : public testing::Test {
protected:
  void SetUp() override {
    const char *data = std::getenv("ASHLAR_SHARED_DATA");
    directory = std::string(data ? data : "") + "/checkpoints/stories260k_hf";
    if (!llvm::sys::fs::exists(directory + "/model.safetensors"))
      GTEST_SKIP() << directory << " is absent";
    ImportOptions options;
    options.directory = directory;
    module = importHuggingFace(context, options);
    ASSERT_TRUE(module);
    auto text = llvm::MemoryBuffer::getFile(directory + "/ref.json");
    ASSERT_TRUE(bool(text));
    llvm::json::Value reference = llvm::cantFail(llvm::json::parse((*text)->getBuffer()));
    for (const llvm::json::Value &id : *reference.getAsObject()->getArray("greedy_ids"))
      ids.push_back(*id.getAsInteger());
  }

  NamedArray toInput(ArrayRef<int64_t> tokens) {
    Array array(IntegerType::get(&context, 64), {1, static_cast<int64_t>(tokens.size())});
    array.integers.assign(tokens.begin(), tokens.end());
    return {"input_ids", std::make_shared<const Array>(std::move(array))};
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::string directory;
  std::vector<int64_t> ids;
};

TEST_F(Stories, LogitsAgreeEverywhere) {
  auto raw = llvm::MemoryBuffer::getFile(directory + "/ref_logits_255x512_f32.bin");
  ASSERT_TRUE(bool(raw));
  std::vector<float> expected(255 * 512);
  ASSERT_EQ((*raw)->getBufferSize(), expected.size() * sizeof(float));
  std::memcpy(expected.data(), (*raw)->getBufferStart(), (*raw)->getBufferSize());
  for (const Backend &backend : getCpuBackends()) {
    auto compiled = CompiledModule::create(*module, backend, {directory});
    ASSERT_TRUE(compiled);
    auto results = compiled->run("forward", {toInput(ArrayRef(ids).take_front(255))});
    ASSERT_TRUE(results);
    const Array &logits = *results->front().array;
    ASSERT_EQ(logits.size(), 255 * 512);
    double worst = 0;
    for (size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(logits.floats[i] - expected[i]));
    EXPECT_LE(worst, 1e-4) << backend.name;
  }
}

TEST_F(Stories, ContinuesAsPublished) {
  for (const Backend &backend : getCpuBackends()) {
    auto compiled = CompiledModule::create(*module, backend, {directory});
    ASSERT_TRUE(compiled);
    std::vector<int64_t> told = {ids.front()};
    while (told.size() < ids.size()) {
      auto step = compiled->run(told.size() == 1 ? "prefill" : "decode", {toInput({told.back()})});
      ASSERT_TRUE(step);
      const std::vector<double> &logits = step->front().array->floats;
      told.push_back(std::max_element(logits.begin(), logits.end()) - logits.begin());
    }
    EXPECT_EQ(told, ids) << backend.name;
  }
}

} // namespace
} // namespace ashlar::test
